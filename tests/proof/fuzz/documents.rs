//! Damaged PDFs, JPEGs and PNGs are counted or refused, and one that is counted can be merged without losing a page.

use clawback::evidence::{merge, pages};
use lopdf::{Document, Object, Stream, dictionary};
use png::{BitDepth, ColorType, Encoder};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{fuzz, runs};

/// Most pages that are counted, and most bytes of a merged file: Stripe's limit of 4.5 MB.
const MOST_PAGES: u32 = 10_000;
const MOST_BYTES: usize = 4_500_000;

#[derive(Clone, Debug)]
enum Change {
    Cut(Index),
    Byte(Index, u8),
    Insert(Index, &'static str),
    /// A piece comes twice.
    Again(Index, Index),
    Remove(Index, Index),
}

#[test]
fn a_damaged_document_is_refused_or_keeps_its_pages_when_merged() {
    let seeds: Vec<(Vec<u8>, u32)> = vec![
        (pdf(1, false), 1),
        (pdf(3, false), 3),
        (pdf(3, true), 3),
        (jpeg(), 1),
        (png(ColorType::Rgba), 1),
        (png(ColorType::Grayscale), 1),
    ];
    for (seed, count) in &seeds {
        assert_eq!(pages::count(seed), Ok(*count));
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(seed, _)| seed).collect();
    let input = (select(seeds), prop::collection::vec(change(), 0..8));
    let another = pdf(2, false);
    fuzz("documents", runs(2_000), &input, |(seed, changes)| check(changes.iter().fold(seed.clone(), apply), &another));
}

fn check(content: Vec<u8>, another: &[u8]) -> Result<(), String> {
    let counted = pages::count(&content);
    let kinds: [&[u8]; 3] = [b"%PDF-", b"\xff\xd8\xff", b"\x89PNG"];
    let Ok(count) = counted else { return Ok(()) };
    if !kinds.iter().any(|kind| content.starts_with(kind)) || !(1..=MOST_PAGES).contains(&count) {
        return Err(format!("{count} pages of something else"));
    }
    let both = [("a.pdf".to_owned(), another.to_vec()), ("b".to_owned(), content)];
    // A page may be damaged where counting need not look.
    let Ok(merged) = merge(&both) else { return Ok(()) };
    match pages::count(&merged) {
        Ok(all) if all == count + 2 && merged.len() <= MOST_BYTES => Ok(()),
        other => Err(format!("{count} pages and 2 are {other:?}, in {} bytes", merged.len())),
    }
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = [
        "/Type/Page",
        "/Type/Pages",
        "/Count 99999",
        "/Count -1",
        "/Kids[1 0 R]",
        "/Parent 2 0 R",
        "endobj",
        "stream\n",
        "%%EOF",
        "<<",
        ">>",
        "[",
        "(",
        "/Encrypt 1 0 R",
        "/ObjStm",
        "\0\0\0\0",
        "IHDR",
        "IDAT",
        "IEND",
        "Exif\0\0MM\0*",
    ];
    let at = any::<Index>;
    prop_oneof![
        1 => at().prop_map(Change::Cut),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (at(), select(pieces.to_vec())).prop_map(|(at, piece)| Change::Insert(at, piece)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Again(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Remove(from, to)),
    ]
}

fn apply(mut content: Vec<u8>, change: &Change) -> Vec<u8> {
    if content.is_empty() {
        return content;
    }
    let length = content.len();
    let range = |from: &Index, to: &Index| {
        let (from, to) = (from.index(length), to.index(length));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Cut(at) => content.truncate(at.index(length)),
        Change::Byte(at, byte) => content[at.index(length)] = *byte,
        Change::Insert(at, piece) => drop(content.splice(at.index(length)..at.index(length), piece.bytes())),
        Change::Again(from, to) => {
            let range = range(from, to);
            let piece = content[range.clone()].to_vec();
            drop(content.splice(range.end..range.end, piece));
        }
        Change::Remove(from, to) => drop(content.drain(range(from, to))),
    }
    content
}

fn pdf(pages: u32, is_modern: bool) -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let root = document.new_object_id();
    let page = |_| {
        let contents = document.add_object(Stream::new(dictionary! {}, b"0 0 m".to_vec()));
        let size = vec![0.into(), 0.into(), 100.into(), 300.into()];
        let page = dictionary! { "Type" => "Page", "Parent" => root, "Contents" => contents, "MediaBox" => size };
        Object::from(document.add_object(page))
    };
    let kids: Vec<Object> = (0..pages).map(page).collect();
    let top = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => i64::from(pages) };
    document.objects.insert(root, top.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => root });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    if is_modern {
        document.save_modern(&mut bytes).expect("a PDF");
    } else {
        document.save_to(&mut bytes).expect("a PDF");
    }
    bytes
}

fn jpeg() -> Vec<u8> {
    let exif = b"\xFF\xE1\x00\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let frame = [0xFF, 0xC0, 0, 11, 8, 0, 20, 0, 10, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
    [&[0xFF, 0xD8], exif.as_slice(), &frame, &[7; 40], &[0xFF, 0xD9]].concat()
}

fn png(color: ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 8, 4);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().expect("a header").write_image_data(&vec![128; 8 * 4 * color.samples()]).expect("pixels");
    bytes
}
