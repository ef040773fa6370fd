//! Shuffles a contributor's own samples.

use super::Labelled;
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Shuffles the samples, in the same way in every run. Rows may be sorted, and then a subset, such as the samples held back for
/// trying deltas, would not be like the rest. Nothing is copied.
pub fn shuffle(data: &mut Labelled) {
    let inputs = data.inputs;
    let mut random = StdRng::seed_from_u64(0);
    for last in (1..data.len()).rev() {
        let other = random.random_range(0..=last);
        data.labels.swap(other, last);
        if other < last {
            let (earlier, later) = data.pixels.split_at_mut(last * inputs);
            let other = &mut earlier[other * inputs..(other + 1) * inputs];
            other.swap_with_slice(&mut later[..inputs]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_rows_are_mixed_and_none_is_lost() {
        let sorted = Labelled {
            inputs: 2,
            pixels: (0..200).collect(),
            labels: (0..100).map(|row| row / 50).collect(),
        };
        let shuffled = || {
            let mut data = sorted.clone();
            let memory = data.pixels.as_ptr();
            shuffle(&mut data);
            assert_eq!(data.pixels.as_ptr(), memory);
            data
        };
        let mixed = shuffled();
        assert_eq!(mixed, shuffled());
        let last = mixed.slice(94..100).labels;
        assert!(last.contains(&0) && last.contains(&1), "{last:?}");
        let mut rows: Vec<_> = mixed.pixels.chunks(2).zip(&mixed.labels).collect();
        rows.sort_unstable();
        assert!(rows
            .into_iter()
            .eq(sorted.pixels.chunks(2).zip(&sorted.labels)));
    }
}
