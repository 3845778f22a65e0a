//! Pages are counted by content, documents are merged without loss, and hostile files do no harm.

use lopdf::{Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary};
use png::{BitDepth, ColorType, Encoder};
use proptest::prelude::*;

use super::super::pages::{count, of_text};
use super::super::{CannotMerge, merge};

/// A PDF with a page of each of these widths, which the root of the tree or the page itself says.
fn pdf(widths: &[i64]) -> Vec<u8> {
    save(document(widths))
}

fn save(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("a PDF");
    bytes
}

/// A PDF whose objects are in a compressed stream.
fn modern_pdf() -> Vec<u8> {
    let mut bytes = Vec::new();
    document(&[200, 100, 100]).save_modern(&mut bytes).expect("a PDF");
    bytes
}

fn document(widths: &[i64]) -> Document {
    let mut document = Document::with_version("1.5");
    let (root, branch) = (document.new_object_id(), document.new_object_id());
    let page = |width: &i64| {
        let contents = document.add_object(Stream::new(dictionary! {}, b"0 0 m".to_vec()));
        let mut page = dictionary! { "Type" => "Page", "Parent" => branch, "Contents" => contents };
        if *width != 100 {
            page.set("MediaBox", vec![0.into(), 0.into(), (*width).into(), 300.into()]);
        }
        Object::from(document.add_object(page))
    };
    let kids: Vec<_> = widths.iter().map(page).collect();
    let total = i64::try_from(kids.len()).expect("a count");
    let node = dictionary! { "Type" => "Pages", "Parent" => root, "Kids" => kids, "Count" => total };
    document.objects.insert(branch, node.into());
    let size = vec![0.into(), 0.into(), 100.into(), 300.into()];
    let top = dictionary! { "Type" => "Pages", "Kids" => vec![branch.into()], "Count" => total, "MediaBox" => size };
    document.objects.insert(root, top.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => root });
    document.trailer.set("Root", catalog);
    document
}

/// The widths of the pages of a PDF.
fn widths(bytes: &[u8]) -> Vec<i64> {
    let document = Document::load_mem(bytes).expect("a PDF");
    let width = |id| {
        let page = document.get_dictionary(id).expect("a page");
        let size = page.get(b"MediaBox").and_then(Object::as_array).expect("a size");
        size[2].as_float().expect("a width").round().to_string().parse().expect("a number")
    };
    document.page_iter().map(width).collect()
}

fn jpeg(pixels: usize) -> Vec<u8> {
    let head = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 20, 0, 10, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
    [head.as_slice(), &vec![7; pixels], &[0xFF, 0xD9]].concat()
}

fn png(color: ColorType, depth: BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 8, 4);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let size = 8 * 4 * color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 };
    encoder.write_header().expect("a header").write_image_data(&vec![128; size]).expect("pixels");
    bytes
}

fn named(contents: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    contents.iter().enumerate().map(|(place, content)| (format!("{place}.file"), content.clone())).collect()
}

fn why(content: &[u8]) -> String {
    count(content).expect_err("a refusal").to_string()
}

#[test]
fn pages_are_counted_by_content() {
    assert_eq!(count(&pdf(&[100, 200, 300])), Ok(3));
    assert_eq!(count(&modern_pdf()), Ok(3));
    assert_eq!(count(&jpeg(10)), Ok(1));
    assert_eq!(count(&png(ColorType::Rgba, BitDepth::Eight)), Ok(1));
    assert_eq!([0, 1, 3_000, 3_001].map(of_text), [0, 1, 1, 2]);
    assert_eq!(why(b"GIF89a"), "is not a PDF, JPEG or PNG");
    assert_eq!(why(b""), "is not a PDF, JPEG or PNG");
}

#[test]
fn a_file_that_breaks_off_is_refused() {
    let (pdf, jpeg, png) = (pdf(&[100; 5]), jpeg(500), png(ColorType::Rgb, BitDepth::Eight));
    assert_eq!(why(&pdf[..pdf.len() / 2]), "is a damaged PDF: print it to a new one");
    assert_eq!(why(&jpeg[..jpeg.len() / 2]), "is a JPEG that breaks off");
    assert_eq!(why(&jpeg[..10]), "is a damaged JPEG");
    assert_eq!(why(&png[..png.len() - 20]), "is a damaged PNG");
}

#[test]
fn images_that_stripe_may_refuse_are_refused_alone_and_merged_into_a_pdf() {
    let deep = png(ColorType::Rgb, BitDepth::Sixteen);
    assert_eq!(why(&deep), "is a 16-bit PNG, which Stripe may refuse: save it as PDF");
    assert_eq!(widths(&merge(&named(&[deep])).expect("a PDF")), [595]);
}

#[test]
fn a_protected_pdf_is_refused() {
    for password in ["secret", ""] {
        let mut document = document(&[100]);
        document.trailer.set("ID", vec![Object::string_literal("a"), Object::string_literal("b")]);
        let version = EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password: password,
            key_length: 128,
            permissions: Permissions::all(),
        };
        let state = EncryptionState::try_from(version).expect("a state");
        document.encrypt(&state).expect("encrypted");
        let bytes = save(document);
        assert_eq!(why(&bytes), "is password-protected: save it without protection");
        let error = merge(&named(&[pdf(&[100]), bytes])).expect_err("a refusal").to_string();
        assert_eq!(error, "1.file is password-protected: save it without protection");
    }
}

#[test]
fn streams_are_not_decompressed_without_limit() {
    let mut bomb = document(&[100]);
    let mut zeros = Stream::new(dictionary! { "Type" => "ObjStm", "N" => 1, "First" => 4 }, vec![b' '; 64_000_000]);
    zeros.compress().expect("compressed");
    assert!(zeros.content.len() < 100_000);
    bomb.add_object(zeros.clone());
    let _ = count(&save(bomb));
    let mut page = document(&[100]);
    zeros.dict.remove(b"Type");
    page.add_object(zeros);
    assert_eq!(count(&save(page)), Ok(1));
}

#[test]
fn merging_keeps_every_page_in_order() {
    let inputs = named(&[
        pdf(&[200, 100]),
        jpeg(10),
        png(ColorType::Rgba, BitDepth::Eight),
        pdf(&[400]),
        png(ColorType::GrayscaleAlpha, BitDepth::Eight),
    ]);
    let merged = merge(&inputs).expect("a PDF");
    assert_eq!(widths(&merged), [200, 100, 595, 595, 400, 595]);
    assert_eq!(count(&merged), Ok(6));
}

#[test]
fn a_page_that_is_in_the_tree_twice_stays_twice() {
    let mut twice = document(&[200, 100]);
    let root = twice.catalog().and_then(|c| c.get(b"Pages")).and_then(Object::as_reference).expect("a root");
    let branch = twice.get_dictionary(root).and_then(|r| r.get(b"Kids")).and_then(Object::as_array).expect("kids")[0]
        .as_reference()
        .expect("a branch");
    let node = twice.get_object_mut(branch).and_then(Object::as_dict_mut).expect("a node");
    let mut kids = node.get(b"Kids").and_then(Object::as_array).expect("kids").clone();
    kids.push(kids[0].clone());
    node.set("Kids", kids);
    node.set("Count", 3);
    twice.get_object_mut(root).and_then(Object::as_dict_mut).expect("a root").set("Count", 3);
    let merged = merge(&named(&[save(twice), pdf(&[400])])).expect("a PDF");
    assert_eq!(widths(&merged), [200, 100, 200, 400]);
}

#[test]
fn one_pdf_stays_as_it_is() {
    let one = pdf(&[100, 200]);
    assert_eq!(merge(&named(std::slice::from_ref(&one))), Ok(one));
}

#[test]
fn too_many_or_too_large_documents_are_refused_by_name_and_size() {
    assert_eq!(merge(&[]), Err(CannotMerge::Count(0)));
    assert_eq!(merge(&named(&vec![jpeg(1); 11])), Err(CannotMerge::Count(11)));
    let error = merge(&named(&[jpeg(2_000_000), jpeg(2_600_000)])).expect_err("a refusal").to_string();
    assert!(error.ends_with("at most 4500000 are allowed: 1.file 2600027, 0.file 2000027"), "{error}");
}

#[test]
fn a_photo_is_turned_as_its_camera_says() {
    let exif = b"\xFF\xE1\x00\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&[0xFF, 0xD8], exif.as_slice(), &jpeg(10)[2..]].concat();
    let drawn = |content: Vec<u8>| {
        let document = Document::load_mem(&merge(&named(&[content])).expect("a PDF")).expect("a PDF");
        let page = document.page_iter().next().expect("a page");
        String::from_utf8(document.get_page_content(page)).expect("text")
    };
    // The image is 10 wide and 20 high.
    assert_eq!(drawn(jpeg(10)).trim(), "q 10.000 0.000 0.000 20.000 292.500 411.000 cm /Image Do Q");
    assert_eq!(drawn(turned).trim(), "q 0.000 -10.000 20.000 0.000 287.500 426.000 cm /Image Do Q");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_counted_or_refused(
        which in 0..4_usize,
        cut in 0.0..1.0_f64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = [pdf(&[200, 100, 100]), modern_pdf(), jpeg(100), png(ColorType::Rgba, BitDepth::Eight)][which].clone();
        if cut > 0.5 {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
            bytes.truncate((bytes.len() as f64 * cut) as usize);
        }
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let counted = count(&bytes);
        let merged = merge(&named(&[pdf(&[400]), bytes]));
        if let (Ok(pages), Ok(merged)) = (counted, merged) {
            prop_assert_eq!(count(&merged), Ok(pages + 1));
        }
    }

    #[test]
    fn page_counts_add_up(parts in prop::collection::vec(1..5_usize, 1..6)) {
        let inputs: Vec<_> = parts.iter().map(|pages| pdf(&vec![200; *pages])).collect();
        let merged = merge(&named(&inputs)).expect("a PDF");
        prop_assert_eq!(count(&merged), Ok(u32::try_from(parts.iter().sum::<usize>()).expect("a count")));
    }
}
