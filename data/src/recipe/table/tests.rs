use super::*;

#[test]
fn numbers_are_spread_over_a_byte() {
    let byte = |number| Scale::new(-1.0, 1.0).byte(number);
    assert_eq!([byte(-1.0), byte(0.0), byte(1.0)], [0, 128, 255]);
    assert_eq!([byte(-9e99), byte(9e99)], [0, 255]);
    assert_eq!(
        [7.0, 9.0].map(|number| Scale::new(7.0, 7.0).byte(number)),
        [0, 0]
    );
    let all = (0..=255u8).all(|number| Scale::new(0.0, 255.0).byte(number.into()) == number);
    assert!(all);
}

#[test]
fn ranges_are_finite_and_in_order() {
    assert!(check_range("x", 1.0, 1.0).is_ok());
    for (low, high) in [
        (1.0, 0.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
        (-1e308, 1e308),
    ] {
        let error = check_range("x", low, high).unwrap_err();
        assert!(matches!(error, RecipeError::Range { what, .. } if what == "x"));
    }
}

#[test]
fn categories_are_at_most_256() {
    let categories: Vec<String> = (0..257).map(|number| number.to_string()).collect();
    let column = |count: usize| Column {
        name: "code".into(),
        how: How::Categories(categories[..count].to_vec()),
    };
    let recipe = |count| TableRecipe {
        label: Label {
            column: "y".into(),
            classes: vec!["a".into(), "b".into()],
        },
        columns: vec![column(count)],
    };
    assert_eq!(recipe(256).validate(), Ok(()));
    assert_eq!(recipe(256).inputs(), 256);
    assert_eq!(
        recipe(257).validate(),
        Err(RecipeError::Categories("code".into()))
    );
    assert_eq!(
        recipe(0).validate(),
        Err(RecipeError::Categories("code".into()))
    );
}
