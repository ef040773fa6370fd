use super::{Duplicates, Near, Pair, Runs, RUN};

fn found(near: Near, exam: &[&[u8]], training: &[&[u8]]) -> (u64, u64) {
    let duplicates = look(near, exam, training);
    (duplicates.exact().count, duplicates.near().count)
}

fn look(near: Near, exam: &[&[u8]], training: &[&[u8]]) -> Duplicates {
    let mut duplicates = Duplicates::new(near);
    exam.iter().for_each(|sample| duplicates.add_exam(sample));
    training
        .iter()
        .for_each(|sample| duplicates.add_training(sample));
    duplicates
}

#[test]
fn equal_and_near_samples_are_found() {
    let exam: [&[u8]; 3] = [&[1, 2], &[100, 200], &[1, 2]];
    let training: [&[u8]; 4] = [&[50, 60], &[100, 200], &[15, 0], &[1, 2]];
    let duplicates = look(Near::Levels, &exam, &training);
    let pair = |training, exam| Pair { training, exam };
    assert_eq!(duplicates.exact().examples, [pair(2, 2), pair(4, 1)]);
    assert_eq!(duplicates.near().examples, [pair(3, 1)]);
    assert_eq!(duplicates.near().count, 1);
}

#[test]
fn ten_examples_are_kept() {
    let sample: &[u8] = &[1];
    let duplicates = look(Near::Levels, &[sample], &[sample; 30]);
    assert_eq!(
        (duplicates.exact().count, duplicates.exact().examples.len()),
        (30, 10)
    );
}

/// An image of 20 x 20 pixels that is brighter in some places and darker in others.
fn image(level: impl Fn(usize, usize) -> usize) -> Vec<u8> {
    (0..400)
        .map(|pixel| level(pixel / 20, pixel % 20) as u8)
        .collect()
}

#[test]
fn an_image_in_another_light_is_near() {
    let near = Near::Image {
        height: 20,
        width: 20,
        channels: 1,
    };
    let pattern = |row: usize, column: usize| (row * 7 + column * column * 3) % 100;
    let (original, brighter) = (
        image(pattern),
        image(|row, column| pattern(row, column) + 50),
    );
    let other = image(|row, column| (row * 11 + column * 5) % 100);
    assert_eq!(
        found(near, &[&original], &[&brighter, &other, &original]),
        (1, 1)
    );
    let flat = |level: u8| vec![level; 400];
    assert_eq!(found(near, &[&flat(1)], &[&flat(2)]), (0, 0));
    assert_eq!(found(near, &[&original], &[&original[1..]]), (0, 0));
}

/// Tokens that do not repeat.
fn tokens(seed: u64, count: u64) -> Vec<u8> {
    (0..count)
        .map(|at| gotong_scoring::blake2_256(&[&seed.to_le_bytes(), &at.to_le_bytes()])[0])
        .collect()
}

#[test]
fn text_that_shares_a_long_run_is_near() {
    let exam = tokens(1, 1_000);
    for shared in [127, 200] {
        for start in [0, 1, 63, 64, 500, 800] {
            let quote = [
                tokens(2, 77),
                exam[start..start + shared].to_vec(),
                tokens(3, 5),
            ]
            .concat();
            assert_eq!(
                found(Near::Text, &[&exam], &[&quote]),
                (0, 1),
                "{shared} from {start}"
            );
        }
    }
    let short = [tokens(2, 77), exam[64..127].to_vec(), tokens(3, 50)].concat();
    assert_eq!(found(Near::Text, &[&exam], &[&short]), (0, 0));
    assert_eq!(
        found(Near::Text, &[&exam], &[&exam, &tokens(4, 1_000), &[]]),
        (1, 0)
    );
}

#[test]
fn the_hash_of_a_run_does_not_depend_on_what_is_before_it() {
    let text = tokens(5, 300);
    let rolled: Vec<u128> = Runs::of(&text, RUN).collect();
    let alone: Vec<u128> = text.windows(RUN).map(super::rolling).collect();
    assert_eq!(rolled, alone);
    assert_eq!(Runs::of(&text[..RUN], RUN).count(), 1);
    assert_eq!(Runs::of(&text[..RUN - 1], RUN).count(), 0);
    assert_eq!(Runs::of(&[], RUN).count(), 0);
}

#[test]
fn samples_of_text_are_found_wherever_they_stand() {
    let exam = [tokens(6, 500), tokens(6, 500), tokens(7, 30)];
    let look = |length: usize, training: &[Vec<u8>]| {
        let mut duplicates = Duplicates::new(Near::Text).with_sample_tokens(Some(length));
        exam.iter()
            .for_each(|document| duplicates.add_exam(document));
        training
            .iter()
            .for_each(|document| duplicates.add_training(document));
        duplicates
    };
    // Windows of 41 tokens begin at 0, 40, 80 and so on: twelve in a document, and none in the
    // short one.
    let quote = |start: usize, length: usize| {
        let quoted = exam[0][start..start + length].to_vec();
        [tokens(8, 13), quoted, tokens(9, 13)].concat()
    };
    assert_eq!(look(40, &[]).exam(), 24);
    let found = look(40, &[quote(80, 41)]);
    // The third sample of both equal documents.
    assert_eq!(found.exact().count, 2);
    assert_eq!(
        found.exact().examples,
        [Pair {
            training: 1,
            exam: 3
        }]
    );
    assert!(found.are_too_many());
    assert_eq!(look(40, &[quote(80, 40), quote(81, 41)]).exact().count, 0);
    assert_eq!(look(40, &[quote(80, 121)]).exact().count, 6);
    let again = look(40, &[quote(80, 41), quote(80, 41)]);
    assert_eq!((again.exact().count, again.near().count), (2, 0));
    // Short windows occur twice by chance: they are reported, not refused.
    let short = look(30, &[quote(90, 31)]);
    assert_eq!(short.exact().count, 2);
    assert!(!short.are_too_many());
    // One in a hundred is reported, too.
    let long = tokens(10, 4_041);
    let mut duplicates = Duplicates::new(Near::Text).with_sample_tokens(Some(40));
    duplicates.add_exam(&long);
    duplicates.add_training(&long[40..81]);
    assert_eq!((duplicates.exam(), duplicates.exact().count), (101, 1));
    assert!(!duplicates.are_too_many());
    duplicates.add_training(&long[400..441]);
    assert!(duplicates.are_too_many());
}

#[test]
fn other_samples_are_compared_as_a_whole() {
    let mut duplicates = Duplicates::new(Near::Levels).with_sample_tokens(Some(1));
    duplicates.add_exam(&[1, 2, 3]);
    duplicates.add_training(&[1, 2, 3]);
    duplicates.add_training(&[0, 1, 2, 3]);
    assert_eq!(duplicates.exact().count, 1);
    assert!(duplicates.are_too_many());
}
