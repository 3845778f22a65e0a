//! The header of a JPEG. Its pixels are not decoded.

use super::pages::Unreadable;

/// What embedding a JPEG needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jpeg {
    pub width: u32,
    pub height: u32,
    /// Colour components: 1, 3 or 4.
    pub components: u8,
    /// Written by Adobe's software, whose CMYK is inverted.
    pub is_adobe: bool,
    /// How to turn it, by the EXIF tag: 1 as it is, 3 upside down, 6 and 8 on a side.
    pub orientation: u16,
}

/// Reads the segments up to the pixels, and holds that the file ends as it should.
pub(super) fn read(content: &[u8]) -> Result<Jpeg, Unreadable> {
    let damaged = || Unreadable::new("is a damaged JPEG");
    let (mut found, mut is_adobe, mut orientation) = (None, false, 1);
    let mut rest = content.get(2..).ok_or_else(damaged)?;
    loop {
        let (marker, segment, after) = segment(rest).ok_or_else(damaged)?;
        match marker {
            0xC0..=0xC2 => found = frame(segment),
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(Unreadable::new("is a JPEG of a kind that few programs read: save it as PDF"));
            }
            0xE1 => orientation = exif_orientation(segment).unwrap_or(orientation),
            0xEE => is_adobe = segment.starts_with(b"Adobe"),
            0xDA => break,
            _ => {}
        }
        rest = after;
    }
    let (width, height, components) = found.ok_or_else(damaged)?;
    let is_whole = rest.windows(2).any(|pair| pair == [0xFF, 0xD9]);
    let jpeg = Jpeg { width, height, components, is_adobe, orientation };
    is_whole.then_some(jpeg).ok_or_else(|| Unreadable::new("is a JPEG that breaks off"))
}

/// One segment: its marker, its content, and what follows. Fill bytes may stand before a marker.
fn segment(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let fill = rest.iter().position(|byte| *byte != 0xFF).filter(|fill| *fill > 0)?;
    let (marker, rest) = rest[fill..].split_first()?;
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    Some((*marker, rest.get(2..length)?, &rest[length..]))
}

fn frame(segment: &[u8]) -> Option<(u32, u32, u8)> {
    let [8, h1, h2, w1, w2, components, ..] = *segment else { return None };
    let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
    let is_known = width > 0 && height > 0 && matches!(components, 1 | 3 | 4);
    is_known.then_some((width.into(), height.into(), components))
}

/// The tag 0x0112 of the first directory of EXIF data.
fn exif_orientation(segment: &[u8]) -> Option<u16> {
    let tiff = segment.strip_prefix(b"Exif\0\0")?;
    let is_little = tiff.starts_with(b"II");
    let short = |at: usize| {
        let pair = [*tiff.get(at)?, *tiff.get(at + 1)?];
        Some(if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let long = |at: usize| {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if is_little { second << 16 | first } else { first << 16 | second })
    };
    let directory = usize::try_from(long(4)?).ok().filter(|at| *at < tiff.len())?;
    let entries = (0..usize::from(short(directory)?)).map(|entry| directory + 2 + entry * 12);
    entries.into_iter().find(|at| short(*at) == Some(0x0112)).and_then(|at| short(at + 8))
}
