use super::{resize, ImageRecipe};
use crate::{DataError, Place, Recipe, RecipeError};
use std::path::Path;

fn recipe(height: u32, width: u32, channels: u8) -> ImageRecipe {
    ImageRecipe {
        height,
        width,
        channels,
        classes: vec!["iris".into(), "rose".into()],
    }
}

fn encode(
    recipe: &ImageRecipe,
    size: (u32, u32),
    channels: u8,
    bytes: &[u8],
) -> Result<Vec<u8>, DataError> {
    let at = Place {
        file: Path::new("rose/a.png").into(),
        row: 1,
    };
    let mut sample = Vec::new();
    recipe
        .encode(&at, size, channels, bytes, &mut sample)
        .map(|()| sample)
}

#[test]
fn an_image_of_the_right_size_keeps_its_bytes() {
    let bytes: Vec<u8> = (0..18).collect();
    assert_eq!(encode(&recipe(2, 3, 3), (2, 3), 3, &bytes).unwrap(), bytes);
    assert_eq!(encode(&recipe(3, 6, 1), (3, 6), 1, &bytes).unwrap(), bytes);
}

#[test]
fn colours_become_grey_and_grey_becomes_colours() {
    let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
    assert_eq!(
        encode(&recipe(2, 2, 1), (2, 2), 3, &colours).unwrap(),
        [76, 150, 29, 255]
    );
    assert_eq!(
        encode(&recipe(1, 2, 3), (1, 2), 1, &[7, 9]).unwrap(),
        [7, 7, 7, 9, 9, 9]
    );
}

fn resized(bytes: &[u8], channels: usize, from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let mut resized = Vec::new();
    resize(bytes, channels, from, to, &mut resized);
    resized
}

#[test]
fn a_pixel_is_the_mean_of_what_it_covers() {
    // Halves of 2 x 2 pixels, rounded to nearest.
    assert_eq!(
        resized(&[1, 2, 3, 4, 10, 20, 30, 41], 1, (2, 4), (1, 2)),
        [8, 20]
    );
    // Thirds: the middle pixel is half of one and half of the other.
    assert_eq!(resized(&[0, 100], 1, (1, 2), (1, 3)), [0, 50, 100]);
    assert_eq!(resized(&[0, 90, 30], 1, (3, 1), (2, 1)), [30, 50]);
    // Channels are kept apart.
    assert_eq!(
        resized(&[0, 10, 20, 100, 110, 120], 3, (1, 2), (1, 1)),
        [50, 60, 70]
    );
    // Larger by a whole factor: pixels are repeated.
    assert_eq!(
        resized(&[5, 6], 1, (1, 2), (2, 4)),
        [5, 5, 6, 6, 5, 5, 6, 6]
    );
}

#[test]
fn flat_images_stay_flat() {
    for level in [0, 1, 127, 254, 255] {
        for to in [(1, 1), (3, 5), (7, 2), (28, 28), (101, 1)] {
            let flat = resized(&[level; 13 * 17], 1, (13, 17), to);
            assert_eq!(flat, vec![level; (to.0 * to.1) as usize]);
        }
    }
}

#[test]
fn images_that_lie_about_their_size_are_refused() {
    for (size, channels, count) in [
        ((2, 2), 1, 3),
        ((2, 2), 3, 4),
        ((0, 2), 1, 0),
        ((1, 2), 2, 4),
    ] {
        let bytes = vec![0; count];
        let error = encode(&recipe(2, 2, 1), size, channels, &bytes).unwrap_err();
        assert!(matches!(error, DataError::WrongShape { .. }), "{error}");
    }
}

#[test]
fn its_text_is_the_same_recipe() {
    let of = Recipe::Image;
    let text = of(recipe(32, 24, 3)).to_text().unwrap();
    assert_eq!(Recipe::parse(&text).unwrap(), of(recipe(32, 24, 3)));
    assert_eq!(of(recipe(32, 24, 3)).inputs(), Some(2304));
    let parse = |recipe| Recipe::parse(&of(recipe).to_text().unwrap());
    assert_eq!(parse(recipe(2, 2, 4)), Err(RecipeError::Channels(4)));
    assert_eq!(parse(recipe(0, 2, 1)), Err(RecipeError::Inputs(0)));
    assert!(matches!(
        parse(recipe(u32::MAX, u32::MAX, 3)),
        Err(RecipeError::Inputs(_))
    ));
}
