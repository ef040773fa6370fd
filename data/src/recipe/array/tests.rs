use super::ArrayRecipe;
use crate::{DataError, Place, Recipe, RecipeError};
use std::path::Path;

fn recipe(low: f64, high: f64) -> ArrayRecipe {
    ArrayRecipe {
        shape: vec![2, 2],
        low,
        high,
        classes: vec!["0".into(), "1".into()],
    }
}

fn at() -> Place {
    Place {
        file: Path::new("a.npz").into(),
        row: 3,
    }
}

fn encode(recipe: &ArrayRecipe, values: &[f64]) -> Vec<u8> {
    let mut sample = Vec::new();
    recipe.encode(&at(), values, &mut sample).unwrap();
    sample
}

#[test]
fn numbers_are_scaled_rounded_and_cut_off() {
    assert_eq!(
        encode(&recipe(-1.0, 1.0), &[-1.0, 1.0, 0.0, 0.5]),
        [0, 255, 128, 191]
    );
    assert_eq!(
        encode(&recipe(-1.0, 1.0), &[-9.0, 9.0, f64::MAX, f64::MIN]),
        [0, 255, 255, 0]
    );
    assert_eq!(encode(&recipe(7.0, 7.0), &[7.0, 8.0, 6.0, 0.0]), [0; 4]);
}

#[test]
fn bytes_stay_as_they_are() {
    for byte in 0..=255u8 {
        assert_eq!(encode(&recipe(0.0, 255.0), &[byte.into(); 4]), [byte; 4]);
    }
}

#[test]
fn arrays_of_other_sizes_are_refused() {
    let error = recipe(0.0, 1.0)
        .encode(&at(), &[0.0; 3], &mut Vec::new())
        .unwrap_err();
    assert!(error.to_string().contains("a.npz, row 3"), "{error}");
    assert!(matches!(error, DataError::WrongShape { .. }));
}

#[test]
fn its_text_is_the_same_recipe() {
    let recipe = Recipe::Array(recipe(0.1, 1e9));
    let text = recipe.to_text().unwrap();
    assert_eq!(Recipe::parse(&text).unwrap(), recipe);
    let more = format!("{text}\nother = 1\n");
    assert!(
        matches!(Recipe::parse(&more), Err(RecipeError::Syntax(_))),
        "{text}"
    );
    let turned = text.replace("high = 1000000000.0", "high = 0.0");
    assert!(
        matches!(Recipe::parse(&turned), Err(RecipeError::Range { .. })),
        "{turned}"
    );
}
