//! The trace of a sample, and what its words are made of.

use super::super::traced::TracedSample;
use super::super::Exam;
use super::Witness;
#[cfg(test)]
use crate::hash::Hash;
#[cfg(test)]
use alloc::vec::Vec;

impl Witness {
    /// A sample under the weights of an evaluation.
    pub(super) fn traced(&self, exam: &Exam) -> Option<TracedSample<'_>> {
        Some(TracedSample {
            ground: self.case.ground(),
            layout: &self.layout,
            held: &self.samples,
            sample: exam.sample,
            weights: self.weights(exam.of)?,
            misstated: self.overlay.word(exam.of, exam.sample),
        })
    }

    /// The root of a trace, and the words of every op.
    #[cfg(test)]
    pub(in crate::trial) fn trace_of(&self, exam: &Exam) -> Option<(Hash, Vec<Vec<i32>>)> {
        let (traced, mut words) = (self.traced(exam)?, Vec::new());
        traced.each(|_, given| words.extend(given.words(0..given.own.words)))?;
        Some((traced.tree()?.root().hash, words))
    }
}
