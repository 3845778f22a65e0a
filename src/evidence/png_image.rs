//! PNG: whether Stripe takes it, and its pixels in the form in which a PDF holds them.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};

use super::pages::Unreadable;

/// Most memory that decoding may take, in bytes.
const MOST_MEMORY: usize = 256_000_000;
/// Most pixels.
const MOST_PIXELS: u64 = 50_000_000;

/// The pixels of an image without transparency, 8 bits a sample, as PNG's own compressed rows.
pub(super) struct Pixels {
    pub width: u32,
    pub height: u32,
    /// Samples of a pixel: 1 is grey, 3 is red, green, blue.
    pub samples: u8,
    /// Deflated, each row with its filter before it.
    pub rows: Vec<u8>,
}

/// Refuses an image that is damaged, or of a kind that Stripe may not take.
pub(super) fn check(content: &[u8]) -> Result<(), Unreadable> {
    let mut reader = open(content, Transformations::IDENTITY)?;
    let info = reader.info();
    if info.interlaced || info.bit_depth == BitDepth::Sixteen {
        let kind = if info.interlaced { "an interlaced" } else { "a 16-bit" };
        return Err(Unreadable(format!("is {kind} PNG, which Stripe may refuse: save it as PDF")));
    }
    while reader.next_row().map_err(damaged)?.is_some() {}
    reader.finish().map_err(damaged)
}

/// Decodes an image, puts it on white, and compresses it again.
pub(super) fn pixels(content: &[u8]) -> Result<Pixels, Unreadable> {
    let mut reader = open(content, Transformations::normalize_to_color8())?;
    let size = reader.output_buffer_size().ok_or_else(|| Unreadable::new("is a PNG that is too large"))?;
    let mut raw = vec![0; size];
    let frame = reader.next_frame(&mut raw).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    raw.truncate(frame.buffer_size());
    let (color, raw) = match frame.color_type {
        ColorType::Grayscale | ColorType::Rgb => (frame.color_type, raw),
        ColorType::GrayscaleAlpha => (ColorType::Grayscale, on_white::<2>(&raw)),
        ColorType::Rgba => (ColorType::Rgb, on_white::<4>(&raw)),
        ColorType::Indexed => return Err(Unreadable::new("is a damaged PNG")),
    };
    let rows = compressed(frame.width, frame.height, color, &raw).ok_or_else(|| Unreadable::new("is a damaged PNG"))?;
    Ok(Pixels { width: frame.width, height: frame.height, samples: if color == ColorType::Rgb { 3 } else { 1 }, rows })
}

fn open(content: &[u8], transformations: Transformations) -> Result<png::Reader<Cursor<&[u8]>>, Unreadable> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(content), Limits { bytes: MOST_MEMORY });
    decoder.set_transformations(transformations);
    let reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = reader.info().size();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Unreadable(format!("has {width} × {height} pixels, and at most {MOST_PIXELS} are read")));
    }
    Ok(reader)
}

fn damaged(_: png::DecodingError) -> Unreadable {
    Unreadable::new("is a damaged PNG")
}

/// Removes the last of `N` samples, transparency, over white.
fn on_white<const N: usize>(raw: &[u8]) -> Vec<u8> {
    let shown = |sample: u8, alpha: u8| {
        let (sample, alpha) = (u32::from(sample), u32::from(alpha));
        u8::try_from((sample * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255)
    };
    let pixels = raw.chunks_exact(N);
    pixels.flat_map(|pixel| pixel[..N - 1].iter().map(move |sample| shown(*sample, pixel[N - 1]))).collect()
}

/// The compressed rows of a PNG made of these pixels.
fn compressed(width: u32, height: u32, color: ColorType, raw: &[u8]) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().ok()?.write_image_data(raw).ok()?;
    let mut rest = file.get(8..)?;
    let mut rows = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if after.starts_with(b"IDAT") {
            rows.extend_from_slice(after.get(4..4 + length)?);
        }
        rest = after.get(length + 8..)?;
    }
    Some(rows)
}
