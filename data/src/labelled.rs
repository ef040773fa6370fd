//! Samples that a model takes.

use std::ops::Range;

/// Labelled samples of equal size, one after the other. A sample of text is a number of tokens, and its
/// label the token after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Bytes of one sample.
    pub inputs: usize,
    /// `[samples, inputs]`, row-major: pixels or tokens.
    pub pixels: Vec<u8>,
    /// `[samples]`, one class or token each.
    pub labels: Vec<u8>,
}

impl Labelled {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The samples of `range`, cut off at the end of the set.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            inputs: self.inputs,
            pixels: self.pixels[start * self.inputs..end * self.inputs].to_vec(),
            labels: self.labels[start..end].to_vec(),
        }
    }

    /// Part `index` (from 0) of `of` contiguous parts that share no sample and cover the set.
    /// Empty when `index >= of`.
    pub fn part(&self, index: usize, of: usize) -> Self {
        let parts = of.max(1);
        let bound = |part: usize| self.len() * part.min(parts) / parts;
        self.slice(bound(index)..bound(index.saturating_add(1)))
    }

    /// `count` samples from all over the set, evenly apart; all of them if there are fewer.
    pub fn spread(&self, count: usize) -> Self {
        let count = count.min(self.len());
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for start in (0..count).map(|number| number * self.len() / count) {
            pixels.extend_from_slice(&self.pixels[start * self.inputs..][..self.inputs]);
            labels.push(self.labels[start]);
        }
        Self {
            inputs: self.inputs,
            pixels,
            labels,
        }
    }

    /// Divides the set in two: `count` samples, or all if there are fewer, in `runs` runs evenly apart, and the rest, each in the
    /// order of the set.
    pub fn split_runs(&self, count: usize, runs: usize) -> (Self, Self) {
        let (count, runs) = (count.min(self.len()), runs.max(1));
        let of_run = |all: usize, run: usize| all * run / runs;
        let empty = |samples: usize| Self {
            inputs: self.inputs,
            pixels: Vec::with_capacity(samples * self.inputs),
            labels: Vec::with_capacity(samples),
        };
        let (mut chosen, mut rest) = (empty(count), empty(self.len() - count));
        for run in 0..runs {
            let (start, end) = (of_run(self.len(), run), of_run(self.len(), run + 1));
            let split = end - (of_run(count, run + 1) - of_run(count, run)).min(end - start);
            for (part, range) in [(&mut rest, start..split), (&mut chosen, split..end)] {
                let bytes = range.start * self.inputs..range.end * self.inputs;
                part.pixels.extend_from_slice(&self.pixels[bytes]);
                part.labels.extend_from_slice(&self.labels[range]);
            }
        }
        (chosen, rest)
    }

    /// The format of a shard: each sample's bytes followed by its label byte.
    pub fn records(&self) -> Vec<u8> {
        let mut records = Vec::with_capacity(self.len() * (self.inputs + 1));
        for (sample, &label) in self.pixels.chunks_exact(self.inputs).zip(&self.labels) {
            records.extend_from_slice(sample);
            records.push(label);
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five() -> Labelled {
        Labelled {
            inputs: 2,
            pixels: (0..10).collect(),
            labels: vec![0, 1, 2, 3, 4],
        }
    }

    #[test]
    fn parts_are_disjoint_and_cover_the_set() {
        let parts: Vec<u8> = (0..3).flat_map(|i| five().part(i, 3).labels).collect();
        assert_eq!(parts, five().labels);
        assert!(five().part(3, 3).is_empty());
        assert!(five().part(0, 0) == five());
    }

    #[test]
    fn spread_samples_are_evenly_apart() {
        let three = five().spread(3);
        assert_eq!(
            (three.labels, three.pixels),
            (vec![0, 1, 3], vec![0, 1, 2, 3, 6, 7])
        );
        assert!(five().spread(7) == five());
        assert!(five().spread(0).is_empty());
    }

    #[test]
    fn a_set_is_split_into_runs_and_the_rest() {
        let (two, rest) = five().split_runs(2, 2);
        assert_eq!((two.labels, rest.labels), (vec![1, 4], vec![0, 2, 3]));
        assert_eq!((two.pixels, rest.pixels.len()), (vec![2, 3, 8, 9], 6));
        for (count, runs) in [(0, 3), (3, 1), (3, 4), (5, 2), (9, 0)] {
            let (chosen, rest) = five().split_runs(count, runs);
            assert_eq!(chosen.len(), count.min(5), "{count} in {runs}");
            let mut all = [chosen.labels, rest.labels].concat();
            all.sort_unstable();
            assert_eq!(all, five().labels, "{count} in {runs}");
        }
    }

    #[test]
    fn a_record_is_a_sample_and_its_label() {
        assert_eq!(five().slice(1..3).records(), [2, 3, 1, 4, 5, 2]);
        assert!(five().slice(7..9).is_empty());
    }
}
