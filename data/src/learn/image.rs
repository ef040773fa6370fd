//! Learns the size of images, and whether they have colours.

use super::{ClassCounts, LearnOptions};
use crate::{read::images::check_classes, Cell, DataError, ImageRecipe, Row, Source, Values};

/// Learns a recipe from the images for training: the size that is asked for, or else that of the first image; grey if that is asked
/// for or all images are.
pub(crate) fn learn(
    source: &Source,
    training: &dyn Fn(u64) -> bool,
    options: &LearnOptions,
) -> Result<ImageRecipe, DataError> {
    check_classes(source)?;
    let mut classes = ClassCounts::default();
    let (mut size, mut colours) = (options.size, false);
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let mut number = 0;
    while rows.read(&mut row)? {
        number += 1;
        let Values::Image {
            height,
            width,
            channels,
            label,
            ..
        } = &row.values
        else {
            continue;
        };
        if !training(number - 1) {
            continue;
        }
        classes.add(&row.at, "label", Cell::Text(label))?;
        size = size.or(Some((*height, *width)));
        colours |= *channels == 3;
    }
    let classes = classes.classes(source, "label")?;
    let (height, width) = size.unwrap_or_default();
    Ok(ImageRecipe {
        height,
        width,
        channels: if colours && !options.grey { 3 } else { 1 },
        classes,
    })
}
