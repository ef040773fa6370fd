use crate::{
    learn, DataError, ImageError, LearnOptions, Recipe, Row, Source, SourceOptions, Values,
};
use flate2::Crc;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use std::{fs, path::Path};

/// A folder of two classes: one grey image and one in colours.
fn flowers() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in ["rose", "iris"] {
        fs::create_dir(folder.path().join(class)).unwrap();
    }
    grey(&folder.path().join("rose/b.png"), 2, 1, 7);
    grey(&folder.path().join("rose/a.png"), 2, 1, 9);
    RgbImage::from_pixel(2, 1, Rgb([10, 20, 30]))
        .save(folder.path().join("iris/c.png"))
        .unwrap();
    fs::write(folder.path().join("rose/.hidden"), b"no image").unwrap();
    folder
}

fn grey(path: &Path, width: u32, height: u32, level: u8) {
    GrayImage::from_pixel(width, height, Luma([level]))
        .save(path)
        .unwrap();
}

fn open(folder: &Path) -> Result<Source, DataError> {
    Source::open(&[folder.to_owned()], SourceOptions::default())
}

fn first_error(folder: &Path) -> DataError {
    match open(folder) {
        Ok(source) => source.rows().unwrap().find_map(Result::err).unwrap(),
        Err(error) => error,
    }
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let folder = flowers();
    let source = open(folder.path()).unwrap();
    assert_eq!(source.len_hint(), Some(3));
    assert!(source.bytes() > 100);
    let rows: Vec<Row> = source.rows().unwrap().map(Result::unwrap).collect();
    let names: Vec<String> = rows.iter().map(|row| row.at.to_string()).collect();
    assert!(names[0].ends_with("iris/c.png, row 1"), "{names:?}");
    assert!(names[1].ends_with("rose/a.png, row 1"), "{names:?}");
    let first = Values::Image {
        height: 1,
        width: 2,
        channels: 3,
        bytes: vec![10, 20, 30, 10, 20, 30],
        label: "iris".into(),
    };
    assert!(rows[0].values == first);
    let grey = |level: u8| Values::Image {
        height: 1,
        width: 2,
        channels: 1,
        bytes: vec![level; 2],
        label: "rose".into(),
    };
    assert!(rows[1].values == grey(9) && rows[2].values == grey(7));
}

#[test]
fn jpeg_is_read_whatever_its_name() {
    let folder = flowers();
    let path = folder.path().join("rose/d.JPEG");
    grey(&folder.path().join("d.jpg"), 16, 8, 100);
    fs::rename(folder.path().join("d.jpg"), path).unwrap();
    let source = open(folder.path()).unwrap();
    let row = source.rows().unwrap().last().unwrap().unwrap();
    let Values::Image {
        height,
        width,
        bytes,
        ..
    } = row.values
    else {
        panic!("no image");
    };
    assert_eq!((height, width), (8, 16));
    assert!(bytes.iter().all(|&byte| byte.abs_diff(100) <= 2));
}

#[test]
fn transparency_and_fine_levels_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("rose");
    fs::create_dir(&class).unwrap();
    let clear = RgbaImage::from_pixel(1, 1, Rgba([10, 20, 30, 0]));
    clear.save(class.join("a.png")).unwrap();
    let fine = ImageBuffer::<Luma<u16>, Vec<u16>>::from_pixel(1, 1, Luma([0x8080]));
    fine.save(class.join("b.png")).unwrap();
    let source = open(folder.path()).unwrap();
    let bytes = |row: Result<Row, DataError>| match row.unwrap().values {
        Values::Image { bytes, .. } => bytes,
        _ => panic!("no image"),
    };
    let images: Vec<Vec<u8>> = source.rows().unwrap().map(bytes).collect();
    assert_eq!(images, [vec![10, 20, 30], vec![0x80]]);
}

#[test]
fn a_recipe_is_learned_and_makes_bytes() {
    let folder = flowers();
    grey(&folder.path().join("iris/d.png"), 4, 2, 50);
    let source = open(folder.path()).unwrap();
    let recipe = learn(&source, |_| true, &LearnOptions::default()).unwrap();
    let Recipe::Image(image) = &recipe else {
        panic!("{recipe:?}");
    };
    assert_eq!((image.height, image.width, image.channels), (1, 2, 3));
    assert_eq!(image.classes, ["iris", "rose"]);
    let samples = recipe.load(&source, None).unwrap();
    assert_eq!(samples.labels, [0, 0, 1, 1]);
    assert_eq!(
        samples.pixels[..12],
        [10, 20, 30, 10, 20, 30, 50, 50, 50, 50, 50, 50]
    );
    let options = LearnOptions {
        grey: true,
        size: Some((3, 3)),
        ..LearnOptions::default()
    };
    let recipe = learn(&source, |_| true, &options).unwrap();
    assert_eq!(recipe.inputs(), Some(9));
    assert_eq!(
        recipe.load(&source, None).unwrap().pixels[..10],
        [18, 18, 18, 18, 18, 18, 18, 18, 18, 50]
    );
    // Without the coloured one, all are grey.
    let others = learn(&source, |row| row > 0, &LearnOptions::default());
    assert!(matches!(others, Err(DataError::LonelyLabel { class, .. }) if class == "iris"));
}

#[test]
fn what_is_no_image_is_named() {
    let folder = flowers();
    let path = folder.path().join("rose/z.png");
    fs::write(&path, b"this is text").unwrap();
    let error = first_error(folder.path());
    assert!(error.to_string().contains("rose/z.png"), "{error}");
    assert!(matches!(
        error,
        DataError::Image(ImageError::Undecodable { .. })
    ));
    let sound = fs::read(folder.path().join("rose/a.png")).unwrap();
    for end in [0, 8, 20, sound.len() - 30] {
        fs::write(&path, &sound[..end]).unwrap();
        let error = first_error(folder.path());
        assert!(
            matches!(error, DataError::Image(ImageError::Undecodable { .. })),
            "{error}"
        );
    }
    fs::write(&path, b"GIF89a\x01\x00\x01\x00\x00\x00\x00").unwrap();
    assert!(matches!(
        first_error(folder.path()),
        DataError::Image(ImageError::OtherFile { .. })
    ));
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("rose/notes.txt"), b"roses").unwrap();
    let error = first_error(folder.path());
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert!(matches!(
        error,
        DataError::Image(ImageError::OtherFile { .. })
    ));
}

#[test]
fn folders_and_files_are_not_mixed_up() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        first_error(empty.path()),
        DataError::Image(ImageError::NoClasses { .. })
    ));
    fs::create_dir(empty.path().join("rose")).unwrap();
    let error = first_error(empty.path());
    assert!(
        matches!(error, DataError::Image(ImageError::EmptyClass { folder }) if folder.ends_with("rose"))
    );
    let folder = flowers();
    fs::create_dir(folder.path().join("rose/more")).unwrap();
    assert!(
        matches!(first_error(folder.path()), DataError::Folder { path } if path.ends_with("more"))
    );
    let folder = flowers();
    grey(&folder.path().join("stray.png"), 1, 1, 0);
    assert!(
        matches!(first_error(folder.path()), DataError::NotAFolder { path } if path.ends_with("stray.png"))
    );
    let options = SourceOptions {
        format: Some(crate::Format::Images),
        ..SourceOptions::default()
    };
    let error = Source::open(&[folder.path().join("stray.png")], options).unwrap_err();
    assert!(matches!(error, DataError::NotAFolder { .. }));
}

#[test]
fn images_without_classes_are_predicted_and_not_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    grey(&folder.path().join("b.png"), 2, 1, 7);
    grey(&folder.path().join("a.png"), 2, 1, 9);
    let source = open(folder.path()).unwrap();
    assert_eq!(source.len_hint(), Some(2));
    let classes = flowers();
    grey(&classes.path().join("iris/d.png"), 2, 1, 50);
    let recipe = learn(
        &open(classes.path()).unwrap(),
        |_| true,
        &LearnOptions {
            grey: true,
            ..LearnOptions::default()
        },
    );
    let recipe = recipe.unwrap();
    let encoder = recipe.encoder_of_inputs(&source).unwrap();
    let mut bytes = Vec::new();
    for row in source.rows().unwrap() {
        let row = row.unwrap();
        encoder.inputs_into(&row, &mut bytes).unwrap();
        let label = encoder.label_of(&row);
        assert!(matches!(label, Err(DataError::NoLabel { .. })));
    }
    assert_eq!(bytes, [9, 9, 7, 7]);
    let no_classes =
        |error: DataError| matches!(&error, DataError::Image(ImageError::NoClasses { .. }));
    let learned = learn(&source, |_| true, &LearnOptions::default());
    assert!(no_classes(learned.unwrap_err()));
    assert!(no_classes(recipe.load(&source, None).unwrap_err()));
}

/// The start of a PNG image of this size, without pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        bytes.extend((data.len() as u32).to_be_bytes());
        let named = [name, data].concat();
        let mut crc = Crc::new();
        crc.update(&named);
        bytes.extend(named);
        bytes.extend(crc.sum().to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9c, 0x63]);
    bytes
}

#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    let folder = flowers();
    for (width, height) in [(60_000, 60_000), (16_385, 1), (16_384, 16_384)] {
        fs::write(folder.path().join("iris/bomb.png"), png(width, height)).unwrap();
        let error = first_error(folder.path());
        assert!(error.to_string().contains("bomb.png"), "{error}");
        assert!(
            matches!(error, DataError::Image(ImageError::TooLarge { .. })),
            "{error}"
        );
    }
}
