//! Images: a folder with one folder per class, and PNG and JPEG files in those. One image is decoded at a time. A folder of images
//! and nothing else has images without classes: they can be predicted, but not learned from.
//!
//! Classes and files are read in the order of their names' bytes, so that row numbers are the same everywhere. Names that begin
//! with a dot are skipped.

use super::{Header, ReadRows};
use crate::{DataError, Kind, Place, Row, Source, Values};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Longest side of an image, in pixels.
const MAX_SIDE: u32 = 1 << 14;
/// Most pixels of an image. Decoding one takes up to 8 bytes per pixel.
const MAX_PIXELS: u64 = 1 << 26;
/// Largest image file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 28;

/// Why images cannot be read, where the reason is one that only images have.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A folder that has no folder in it.
    #[error("{} has no class folders; put the images of each class into a folder named after the class", .folder.display())]
    NoClasses {
        /// The folder.
        folder: PathBuf,
    },
    /// A class without images.
    #[error("{} has no images; add images of the class, or remove its folder", .folder.display())]
    EmptyClass {
        /// The class's folder.
        folder: PathBuf,
    },
    /// A class whose name is not text.
    #[error("the name of {} is not valid UTF-8; rename the folder", .folder.display())]
    ClassName {
        /// The class's folder.
        folder: PathBuf,
    },
    /// A file among the images that is not one.
    #[error("{} is neither a PNG nor a JPEG image; convert it, or move it out of the folder", .file.display())]
    OtherFile {
        /// The file.
        file: PathBuf,
    },
    /// An image that cannot be decoded.
    #[error("{} cannot be decoded ({source}); replace or remove it", .file.display())]
    Undecodable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: image::ImageError,
    },
    /// An image that would take too much memory.
    #[error("{} is too large ({size}); an image may have at most {} pixels a side, {} pixels in all and {} bytes: make it smaller", .file.display(), MAX_SIDE, MAX_PIXELS, MAX_FILE_BYTES)]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size.
        size: String,
    },
}

/// What the folder says.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    Ok(Header {
        rows: Some(list(path)?.len() as u64),
        ..Header::of(Kind::Image)
    })
}

/// A pass over the images in the folder.
pub(crate) fn rows(path: &Path) -> Result<Box<dyn ReadRows>, DataError> {
    Ok(Box::new(ImageRows(list(path)?.into_iter())))
}

/// Whether the images of `source` have classes.
///
/// # Errors
/// [`ImageError::NoClasses`].
pub(crate) fn check_classes(source: &Source) -> Result<(), DataError> {
    for path in source.paths() {
        if !entries(path)?.iter().any(|path| path.is_dir()) {
            let folder = path.to_owned();
            return Err(ImageError::NoClasses { folder }.into());
        }
    }
    Ok(())
}

/// Bytes of all images in the folder.
pub(crate) fn bytes(path: &Path) -> Result<u64, DataError> {
    let mut bytes = 0u64;
    for image in list(path)? {
        let about =
            fs::metadata(&image.file).map_err(|error| DataError::reading(&image.file, error))?;
        bytes = bytes.saturating_add(about.len());
    }
    Ok(bytes)
}

/// An image's file, and the name of its class, which is empty if it has none.
struct Image {
    file: PathBuf,
    class: Arc<str>,
}

/// All images in the folder at `path`, in order.
fn list(path: &Path) -> Result<Vec<Image>, DataError> {
    let mut images = Vec::new();
    let here = entries(path)?;
    if !here.iter().any(|path| path.is_dir()) {
        add(here, &"".into(), &mut images)?;
    } else {
        add_classes(here, &mut images)?;
    }
    if images.is_empty() {
        let folder = path.to_owned();
        return Err(ImageError::NoClasses { folder }.into());
    }
    Ok(images)
}

/// Adds the images in the folders of classes.
fn add_classes(folders: Vec<PathBuf>, images: &mut Vec<Image>) -> Result<(), DataError> {
    for folder in folders {
        if !folder.is_dir() {
            return Err(DataError::NotAFolder { path: folder });
        }
        let name = folder.file_name().and_then(|name| name.to_str());
        let class: Arc<str> = match name {
            Some(name) => name.into(),
            None => return Err(ImageError::ClassName { folder }.into()),
        };
        let before = images.len();
        add(entries(&folder)?, &class, images)?;
        if images.len() == before {
            return Err(ImageError::EmptyClass { folder }.into());
        }
    }
    Ok(())
}

/// Adds images of one class.
fn add(files: Vec<PathBuf>, class: &Arc<str>, images: &mut Vec<Image>) -> Result<(), DataError> {
    for file in files {
        if file.is_dir() {
            return Err(DataError::Folder { path: file });
        }
        let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
        if !["png", "jpg", "jpeg"]
            .iter()
            .any(|known| extension == *known)
        {
            return Err(ImageError::OtherFile { file }.into());
        }
        let class = class.clone();
        images.push(Image { file, class });
    }
    Ok(())
}

/// What is in a folder, by name, except for names that begin with a dot.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| DataError::reading(folder, error))? {
        let entry = entry.map_err(|error| DataError::reading(folder, error))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(paths)
}

/// A pass over images.
struct ImageRows(std::vec::IntoIter<Image>);

impl ReadRows for ImageRows {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        let Some(image) = self.0.next() else {
            return Ok(false);
        };
        let decoded = decode(&image.file)?;
        row.at = Place {
            file: image.file.into(),
            row: 1,
        };
        let (height, width) = (decoded.height(), decoded.width());
        let (channels, bytes) = match decoded.color().has_color() {
            true => (3, decoded.into_rgb8().into_raw()),
            false => (1, decoded.into_luma8().into_raw()),
        };
        row.values = Values::Image {
            height,
            width,
            channels,
            bytes,
            label: image.class.as_ref().to_owned(),
        };
        Ok(true)
    }
}

/// Decodes an image, after checking its size.
fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let file = || path.to_owned();
    let unreadable = |error| DataError::reading(path, error);
    let undecodable = |source| match source {
        image::ImageError::Limits(error) => ImageError::TooLarge {
            file: file(),
            size: error.to_string(),
        },
        source => ImageError::Undecodable {
            file: file(),
            source,
        },
    };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        let size = format!("{bytes} bytes");
        return Err(ImageError::TooLarge { file: file(), size }.into());
    }
    let reader = ImageReader::open(path).map_err(unreadable)?;
    let reader = reader.with_guessed_format().map_err(unreadable)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(ImageError::OtherFile { file: file() }.into());
    }
    let decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        let size = format!("{height} x {width} pixels");
        return Err(ImageError::TooLarge { file: file(), size }.into());
    }
    Ok(DynamicImage::from_decoder(decoder).map_err(undecodable)?)
}

#[cfg(test)]
mod tests;
