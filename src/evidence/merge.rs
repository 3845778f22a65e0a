//! Several documents for one evidence field, as one PDF. Pages of PDFs are carried through, and each image gets a page of
//! its own. Nothing is dropped: what cannot be merged is refused.

use std::collections::{BTreeMap, BTreeSet};

use lopdf::{Dictionary, Document, Object, ObjectId, Stream, dictionary};

use super::pages::{Kind, Unreadable, contained, kind};
use super::{jpeg, pdf, png_image};

/// Most documents for one field.
const MOST_DOCUMENTS: usize = 10;
/// Most bytes of all files of a dispute together.
const MOST_BYTES: usize = 4_500_000;
/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
/// Around an image, in points.
const MARGIN: f32 = 36.0;
/// What a page inherits from the nodes of the tree above it.
const INHERITED: [&[u8]; 4] = [b"Resources", b"MediaBox", b"CropBox", b"Rotate"];
/// Deepest page tree.
const DEPTH: usize = 256;

/// Why documents cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotMerge {
    /// There is nothing to merge, or too much.
    #[error("1 to {MOST_DOCUMENTS} documents make one file; these are {0}")]
    Count(usize),
    /// One of them cannot be read.
    #[error("{name} {why}")]
    Unreadable {
        /// The document.
        name: String,
        /// Why.
        why: Unreadable,
    },
    /// The result would be larger than Stripe takes.
    #[error("merged, they have {bytes} bytes, and at most {MOST_BYTES} are allowed: {sizes}")]
    TooLarge {
        /// Of the result.
        bytes: usize,
        /// Of each document, the largest first.
        sizes: String,
    },
}

/// Merges named documents in the given order into one PDF of at most 4.5 MB. A single PDF is returned as it is.
pub fn merge(inputs: &[(String, Vec<u8>)]) -> Result<Vec<u8>, CannotMerge> {
    if inputs.is_empty() || inputs.len() > MOST_DOCUMENTS {
        return Err(CannotMerge::Count(inputs.len()));
    }
    let mut merged = Merged::new();
    for (name, content) in inputs {
        let added = contained(|| merged.add(content));
        added.map_err(|why| CannotMerge::Unreadable { name: name.clone(), why })?;
    }
    let bytes = match inputs {
        [(_, content)] if kind(content) == Ok(Kind::Pdf) => content.clone(),
        _ => merged.finish(),
    };
    if bytes.len() > MOST_BYTES {
        return Err(CannotMerge::TooLarge { bytes: bytes.len(), sizes: sizes(inputs) });
    }
    Ok(bytes)
}

fn sizes(inputs: &[(String, Vec<u8>)]) -> String {
    let mut sizes: Vec<_> = inputs.iter().map(|(name, content)| (content.len(), name)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.iter().map(|(size, name)| format!("{name} {size}")).collect::<Vec<_>>().join(", ")
}

/// The document in the making.
struct Merged {
    document: Document,
    root: ObjectId,
    pages: Vec<Object>,
}

impl Merged {
    fn new() -> Self {
        let mut document = Document::with_version("1.7");
        let root = document.new_object_id();
        Self { document, root, pages: Vec::new() }
    }

    fn add(&mut self, content: &[u8]) -> Result<(), Unreadable> {
        match kind(content)? {
            Kind::Pdf => self.add_pdf(pdf::load(content)?),
            Kind::Jpeg => self.add_jpeg(content),
            Kind::Png => self.add_png(content),
        }
    }

    fn add_pdf(&mut self, pdf: pdf::Pdf) -> Result<(), Unreadable> {
        let ids: BTreeMap<_, _> = pdf.document.objects.keys().map(|id| (*id, self.document.new_object_id())).collect();
        let mut added = BTreeSet::new();
        for page in pdf.pages {
            let damaged = || Unreadable::new("is a damaged PDF: print it to a new one");
            let mut found = whole_page(&pdf.document, page).ok_or_else(damaged)?;
            found.iter_mut().for_each(|(_, value)| renumber(value, &ids));
            // A page may be in the tree twice.
            let id = if added.insert(page) { ids[&page] } else { self.document.new_object_id() };
            self.push(id, found);
        }
        for (id, mut object) in pdf.document.objects {
            if !added.contains(&id) {
                renumber(&mut object, &ids);
                self.document.objects.insert(ids[&id], object);
            }
        }
        Ok(())
    }

    fn add_jpeg(&mut self, content: &[u8]) -> Result<(), Unreadable> {
        let jpeg = jpeg::read(content)?;
        let space = match jpeg.components {
            1 => "DeviceGray",
            3 => "DeviceRGB",
            _ => "DeviceCMYK",
        };
        let mut image = image(jpeg.width, jpeg.height, space);
        image.set("Filter", "DCTDecode");
        if jpeg.components == 4 && jpeg.is_adobe {
            image.set("Decode", [1, 0].repeat(4).into_iter().map(Object::from).collect::<Vec<_>>());
        }
        self.add_image(Stream::new(image, content.to_vec()), (jpeg.width, jpeg.height), jpeg.orientation);
        Ok(())
    }

    fn add_png(&mut self, content: &[u8]) -> Result<(), Unreadable> {
        let pixels = png_image::pixels(content)?;
        let mut image =
            image(pixels.width, pixels.height, if pixels.samples == 3 { "DeviceRGB" } else { "DeviceGray" });
        image.set("Filter", "FlateDecode");
        let (colors, columns) = (i64::from(pixels.samples), i64::from(pixels.width));
        image.set("DecodeParms", dictionary! { "Predictor" => 15, "Colors" => colors, "Columns" => columns });
        self.add_image(Stream::new(image, pixels.rows), (pixels.width, pixels.height), 1);
        Ok(())
    }

    /// A page with an image in its middle, as large as fits.
    fn add_image(&mut self, image: Stream, size: (u32, u32), orientation: u16) {
        let image = self.document.add_object(image);
        let drawn = self.document.add_object(Stream::new(Dictionary::new(), placed(size, orientation).into_bytes()));
        let page = dictionary! {
            "Type" => "Page",
            "MediaBox" => vec![0.into(), 0.into(), PAGE.0.into(), PAGE.1.into()],
            "Resources" => dictionary! { "XObject" => dictionary! { "Image" => image } },
            "Contents" => drawn,
        };
        let id = self.document.new_object_id();
        self.push(id, page);
    }

    fn push(&mut self, id: ObjectId, mut page: Dictionary) {
        page.set("Parent", self.root);
        self.document.objects.insert(id, page.into());
        self.pages.push(id.into());
    }

    fn finish(mut self) -> Vec<u8> {
        let count = i64::try_from(self.pages.len()).unwrap_or(i64::MAX);
        let root = dictionary! { "Type" => "Pages", "Count" => count, "Kids" => self.pages };
        self.document.objects.insert(self.root, root.into());
        let catalog = self.document.add_object(dictionary! { "Type" => "Catalog", "Pages" => self.root });
        self.document.trailer.set("Root", catalog);
        self.document.prune_objects();
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = self.document.save_to(&mut bytes);
        bytes
    }
}

/// A page with what it inherits from the tree above it.
fn whole_page(document: &Document, id: ObjectId) -> Option<Dictionary> {
    let mut above = document.get_dictionary(id).ok()?;
    let mut page = above.clone();
    for _ in 0..DEPTH {
        let Ok(parent) = above.get(b"Parent").and_then(Object::as_reference) else { return Some(page) };
        above = document.get_dictionary(parent).ok()?;
        for name in INHERITED.into_iter().filter(|name| above.has(name)) {
            if !page.has(name) {
                page.set(name, above.get(name).ok()?.clone());
            }
        }
    }
    None
}

/// Gives every reference its number in the new document; one to nothing stays one to nothing.
fn renumber(object: &mut Object, ids: &BTreeMap<ObjectId, ObjectId>) {
    match object {
        Object::Reference(id) => *object = ids.get(id).map_or(Object::Null, |new| Object::Reference(*new)),
        Object::Array(items) => items.iter_mut().for_each(|item| renumber(item, ids)),
        Object::Dictionary(entries) => entries.iter_mut().for_each(|(_, value)| renumber(value, ids)),
        Object::Stream(stream) => stream.dict.iter_mut().for_each(|(_, value)| renumber(value, ids)),
        Object::Null
        | Object::Boolean(_)
        | Object::Integer(_)
        | Object::Real(_)
        | Object::Name(_)
        | Object::String(..) => {}
    }
}

fn image(width: u32, height: u32, space: &str) -> Dictionary {
    dictionary! {
        "Type" => "XObject",
        "Subtype" => "Image",
        "Width" => i64::from(width),
        "Height" => i64::from(height),
        "ColorSpace" => space,
        "BitsPerComponent" => 8,
    }
}

/// The instructions that draw the image: turned as its orientation says, no larger than its pixels as points.
#[expect(clippy::cast_precision_loss, reason = "a page needs no more precision")]
fn placed(size: (u32, u32), orientation: u16) -> String {
    let (width, height) = (size.0 as f32, size.1 as f32);
    let is_turned = matches!(orientation, 6 | 8);
    let (across, down) = if is_turned { (height, width) } else { (width, height) };
    let scale = ((PAGE.0 - 2.0 * MARGIN) / across).min((PAGE.1 - 2.0 * MARGIN) / down).min(1.0);
    let (w, h) = (across * scale, down * scale);
    let (x, y) = ((PAGE.0 - w) / 2.0, (PAGE.1 - h) / 2.0);
    let matrix = match orientation {
        3 => [-w, 0.0, 0.0, -h, x + w, y + h],
        6 => [0.0, -h, w, 0.0, x, y + h],
        8 => [0.0, h, -w, 0.0, x + w, y],
        _ => [w, 0.0, 0.0, h, x, y],
    };
    let matrix = matrix.map(|number| format!("{number:.3}")).join(" ");
    format!("q {matrix} cm /Image Do Q")
}
