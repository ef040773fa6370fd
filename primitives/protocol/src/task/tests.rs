//! Tests of what a sponsor may ask for.

use super::*;

fn terms() -> TaskTerms {
    TaskTerms {
        name: TaskName::new("digits").unwrap(),
        price_per_millibit: 1,
        cap_per_round: 4096,
        attester_fee_permille: 100,
        work_fee: 3,
        windows: Windows {
            commit_blocks: 5,
            reveal_blocks: 6,
            attest_blocks: 7,
            challenge_blocks: 8,
        },
        seats: 3,
        quorum: 2,
        minimum_contributor_stake: 0,
        minimum_attester_stake: 0,
        weight_cap: 1,
        delta_bytes: 64 << 10,
        share: ShareTerms::default(),
        hold_out: HoldOutTerms::Sealed {
            root: [9; 32],
            shards: 1,
            samples: 64,
        },
        recipe: [0; 32],
        recipe_bytes: 0,
    }
}

fn sealed(shards: u32, samples: u32) -> TaskTerms {
    let root = [9; 32];
    TaskTerms {
        hold_out: HoldOutTerms::Sealed {
            root,
            shards,
            samples,
        },
        ..terms()
    }
}

fn drawn(records: u32, samples: u32, rounds: u32) -> TaskTerms {
    TaskTerms {
        hold_out: HoldOutTerms::Drawn {
            salt: [8; 32],
            root: [9; 32],
            records,
            samples,
            rounds,
        },
        ..terms()
    }
}

#[test]
fn names_have_a_length_and_come_back() {
    assert_eq!(TaskName::new(""), None);
    assert_eq!(TaskName::new("a\0b"), None);
    assert_eq!(TaskName::new(&"x".repeat(33)), None);
    let longest = "x".repeat(32);
    assert_eq!(
        TaskName::new(&longest).unwrap().as_str(),
        Some(&longest[..])
    );
    for bytes in [[0; 32], [255; 32]] {
        assert_eq!(TaskName::from_padded(bytes).as_str(), None);
    }
}

/// Clients take it for a string, so its bytes must be those of a string.
#[test]
fn a_name_is_encoded_as_text() {
    for text in ["a", "digits", "ä", &"x".repeat(32)] {
        let name = TaskName::new(text).unwrap();
        assert_eq!(name.encode(), text.encode());
        assert_eq!(TaskName::decode(&mut &text.encode()[..]), Ok(name));
        assert!(name.encoded_size() <= TaskName::max_encoded_len());
    }
    assert_eq!(TaskName::type_info(), String::type_info());
    let longest = TaskName::new(&"x".repeat(32)).unwrap();
    assert_eq!(longest.encoded_size(), TaskName::max_encoded_len());
}

#[test]
fn bytes_that_are_no_name_do_not_decode_or_are_refused() {
    let decode = |bytes: &[u8]| TaskName::decode(&mut &bytes.encode()[..]);
    assert!(decode(&[b'x'; 33]).is_err());
    assert!(decode(b"a\0").is_err(), "two encodings of one name");
    assert!(TaskName::decode(&mut &[4][..]).is_err(), "too short");
    // Any length may be stated.
    assert!(TaskName::decode(&mut &u32::MAX.encode()[..]).is_err());
    let padded = [17, 0, b'd', b'e', b'm', b'o'];
    let decoded = TaskName::decode(&mut &padded[..]);
    assert!(decoded.is_err(), "a length in more bytes than it takes");
    for bytes in [&b""[..], b"a\0b", &[255; 3]] {
        let name = decode(bytes).unwrap();
        assert_eq!(name.as_str(), None);
        let terms = TaskTerms { name, ..terms() };
        assert_eq!(terms.validate(4, 5, 8), Err(TermsError::Name));
    }
}

#[test]
fn long_deltas_have_fewer_places() {
    let places = |delta_bytes: u32| {
        let terms = TaskTerms {
            delta_bytes,
            ..terms()
        };
        (terms.places(), terms.newcomer_places())
    };
    assert_eq!(places(4 << 10), (1_024, 512));
    assert_eq!(places(64 << 10), (1_024, 512));
    assert_eq!(places((64 << 10) + 1), (1_023, 511));
    assert_eq!(places(192 << 10), (341, 170));
    assert_eq!(places(0), (0, 0), "which no task has");
}

#[test]
fn deltas_are_not_longer_than_a_model_needs() {
    let suit = |delta_bytes: u32, parameters: u32| {
        let terms = TaskTerms {
            delta_bytes,
            ..terms()
        };
        terms.can_have_such_deltas(parameters)
    };
    assert!(suit(64 << 10, 1));
    assert!(!suit((64 << 10) + 1, 131_072));
    assert!(suit(192 << 10, 393_216));
    assert!(!suit(192 << 10, 393_215));
}

#[test]
fn each_term_is_checked() {
    assert_eq!(terms().validate(4, 5, 8), Ok(()));
    let refused = |change: fn(&mut TaskTerms), error| {
        let mut terms = terms();
        change(&mut terms);
        assert_eq!(terms.validate(4, 5, 8), Err(error));
    };
    refused(
        |t| t.name = TaskName::from_padded([0; 32]),
        TermsError::Name,
    );
    refused(|t| t.windows.commit_blocks = 4, TermsError::Window);
    refused(|t| t.windows.reveal_blocks = 9, TermsError::Window);
    refused(|t| t.windows.attest_blocks = 0, TermsError::Window);
    refused(
        |t| t.windows.challenge_blocks = u32::MAX,
        TermsError::Window,
    );
    refused(|t| t.seats = 0, TermsError::Seats);
    refused(|t| t.seats = 17, TermsError::Seats);
    refused(|t| t.quorum = 1, TermsError::Quorum);
    refused(|t| t.quorum = 4, TermsError::Quorum);
    refused(|t| t.price_per_millibit = 0, TermsError::Zero);
    refused(|t| t.cap_per_round = 0, TermsError::Zero);
    refused(|t| t.weight_cap = 0, TermsError::Zero);
    refused(|t| t.delta_bytes = (192 << 10) + 1, TermsError::DeltaBytes);
    refused(|t| t.delta_bytes = 4095, TermsError::DeltaBytes);
    refused(|t| t.attester_fee_permille = 1001, TermsError::Fee);
    refused(|t| t.price_per_millibit = (1 << 76) + 1, TermsError::Price);
    refused(|t| t.cap_per_round = 4095, TermsError::Cap);
    refused(|t| t.price_per_millibit = 4097, TermsError::Cap);
    refused(|t| t.share.doubt_q8 = 0, TermsError::Share);
    refused(|t| t.share.gain_floor_q8 = u16::MAX, TermsError::Share);
    refused(|t| t.share.outer_rate_q8 = 127, TermsError::Share);
    refused(|t| t.recipe = [1; 32], TermsError::Recipe);
    refused(|t| t.recipe_bytes = 1, TermsError::Recipe);
    assert_eq!(terms().validate(16 << 10, 5, 8), Ok(()));
    let longer = terms().validate((16 << 10) + 1, 5, 8);
    assert_eq!(longer, Err(TermsError::Record));
}

#[test]
fn a_recipe_is_named_by_hash_and_length() {
    let longest = vec![b'#'; 64 << 10];
    let named = terms().with_recipe(&longest);
    assert_eq!(named.validate(4, 5, 8), Ok(()));
    assert_eq!(named.recipe, blake2_256(&[&longest]));
    assert!(named.has_recipe());
    assert_eq!(named.check_recipe(&longest), Ok(()));
    let shorter = &longest[1..];
    assert_eq!(named.check_recipe(shorter), Err(TermsError::RecipeLength));
    assert_eq!(named.check_recipe(&[]), Err(TermsError::RecipeLength));
    let mut other = longest.clone();
    other[7] = b' ';
    assert_eq!(named.check_recipe(&other), Err(TermsError::RecipeHash));

    let longer = terms().with_recipe(&[longest, vec![b'#']].concat());
    assert_eq!(longer.validate(4, 5, 8), Err(TermsError::Recipe));

    let without = named.with_recipe(&[]);
    assert_eq!(without, terms());
    assert!(!without.has_recipe());
    assert_eq!(without.check_recipe(&[]), Ok(()));
    assert_eq!(without.check_recipe(b"#"), Err(TermsError::RecipeLength));
}

#[test]
fn two_thirds_of_the_seats_are_a_quorum() {
    let least = (0..=8).map(TaskTerms::<u128>::least_quorum);
    assert_eq!(least.collect::<Vec<_>>(), [0, 1, 2, 2, 3, 4, 4, 5, 6]);
}

#[test]
fn what_takes_longer_than_its_window_is_known() {
    let is_scored = |terms: TaskTerms, cost, parameters| {
        terms.load(cost, parameters, terms.places()) <= bounds::COST_PER_BLOCK
    };
    // 64 samples, evaluated 25 times, in seven blocks.
    let most = 7 * (1 << 34) / (64 * 25);
    assert!(is_scored(terms(), most, 0));
    assert!(!is_scored(terms(), most + 1, 0));
    assert!(!is_scored(sealed(1, 66), most, 0));
    assert!(!is_scored(terms(), u64::MAX, 0));
    // A thousand deltas take time of their own: with 100,000 parameters, almost seven blocks.
    assert!(is_scored(terms(), 1, 100_000));
    assert!(!is_scored(terms(), most, 100_000));
    assert!(!is_scored(terms(), 1, u32::MAX));
}

#[test]
fn work_is_paid_by_products_and_not_by_deltas() {
    // 64 samples, 25 times: 1,600 evaluations.
    let work = |work_fee, cost| {
        let terms = TaskTerms {
            work_fee,
            ..terms()
        };
        (terms.work_pay(cost), terms.most_per_round(cost))
    };
    assert_eq!(terms().evaluations(1 << 20), 1600 << 20);
    assert_eq!(work(0, u64::MAX), (Some(0), Some(4096)));
    // 1.5625 units, rounded down.
    assert_eq!(work(3, 1 << 20), (Some(4), Some(4100)));
    assert_eq!(work(4096, 1 << 20), (Some(6400), None), "above the cap");
    assert_eq!(work(4096 << 10, 1 << 10).0, Some(6400));
    assert_eq!(work(u128::MAX, 1 << 20), (None, None));
    let most = TaskTerms {
        cap_per_round: u128::MAX,
        ..terms()
    };
    assert_eq!(most.most_per_round(1 << 20), None);
    // Longer windows ask for less work in a block, but not for less in total.
    let mut slower = terms();
    slower.windows.attest_blocks *= 2;
    assert_eq!(slower.work_pay(1 << 20), terms().work_pay(1 << 20));
}

#[test]
fn shards_are_measured_and_can_be_published() {
    for (shards, samples) in [
        (0, 64),
        (1, 2),
        (1, 62),
        (1, 65),
        (1, 4098),
        (1, u32::MAX - 1),
    ] {
        let refused = sealed(shards, samples).validate(4, 5, 8);
        assert_eq!(refused, Err(TermsError::Shards), "{shards} {samples}");
    }
    let large = sealed(1, 4096);
    assert_eq!(large.validate(256, 5, 8), Ok(()));
    assert_eq!(large.validate(257, 5, 8), Err(TermsError::Shards));
}

#[test]
fn pools_are_large_and_are_not_published() {
    for (records, samples, rounds) in [
        (16 * 64, 64, 1),
        (16 * 4096, 4096, 1),
        (1 << 24, 64, u32::MAX),
        (1 << 24, 4096, 1),
    ] {
        // The longest record is fine too: nobody sends a pool.
        let taken = drawn(records, samples, rounds).validate(16 << 10, 5, 8);
        assert_eq!(taken, Ok(()), "{records} {samples} {rounds}");
    }
    for (records, samples, rounds) in [
        (16 * 64 - 1, 64, 1),
        (16 * 4096 - 1, 4096, 1),
        ((1 << 24) + 1, 64, 1),
        (16 * 64, 64, 0),
        (1 << 24, 62, 1),
        (1 << 24, 65, 1),
        (1 << 24, 4098, 1),
        (u32::MAX, u32::MAX, 1),
        (0, 0, 1),
    ] {
        let refused = drawn(records, samples, rounds).validate(4, 5, 8);
        assert_eq!(
            refused,
            Err(TermsError::Pool),
            "{records} {samples} {rounds}"
        );
    }
}

#[test]
fn both_kinds_tell_the_same_things() {
    let (sealed, drawn) = (sealed(3, 5).hold_out, drawn(80, 6, 4).hold_out);
    let told = |terms: HoldOutTerms| (*terms.root(), terms.samples(), terms.rounds());
    assert_eq!(told(sealed), ([9; 32], 5, 3));
    assert_eq!(told(drawn), ([9; 32], 6, 4));
    assert_eq!(
        [sealed, drawn].map(|terms| terms.is_sealed()),
        [true, false]
    );
}

#[test]
fn golden_bytes() {
    let name = format!("18{}", hex::encode("digits"));
    let one = format!("01{}", "00".repeat(15));
    let work = format!("03{}", "00".repeat(15));
    let windows = "05000000060000000700000008000000";
    let stakes = "00".repeat(32);
    let cap = format!("0010{}", "00".repeat(14));
    let delta = "00000100";
    let share = "00010000800000020001";
    let root = "09".repeat(32);
    let before = format!("{name}{one}{cap}6400{work}{windows}0302{stakes}{one}{delta}{share}");
    let no_recipe = "00".repeat(36);
    assert_eq!(
        hex::encode(terms().encode()),
        format!("{before}00{root}0100000040000000{no_recipe}")
    );
    let (salt, numbers) = ("08".repeat(32), "000400004000000007000000");
    let recipe = TaskTerms {
        recipe: [7; 32],
        recipe_bytes: 258,
        ..drawn(1024, 64, 7)
    };
    assert_eq!(
        hex::encode(recipe.encode()),
        format!("{before}01{salt}{root}{numbers}{}02010000", "07".repeat(32))
    );
}

/// Attesters plan for this many entries in memory.
#[test]
fn a_delta_has_an_entry_for_each_parameter_or_four_for_each_byte() {
    let terms = terms();
    assert_eq!(terms.most_entries(1_000), 1_000);
    assert_eq!(terms.most_entries(u32::MAX), 4 * (64 << 10));
}
