//! The loss as a law of the number of hands, fitted to what was measured.

/// `floor + span * hands^-exponent`: the loss that any number of hands approaches, how much more hands lower it, and how quickly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Law {
    /// The loss, in bits, that no number of hands gets below.
    pub floor: f64,
    /// How far above that the loss of one hand is, in bits.
    pub span: f64,
    /// Each doubling of the hands divides the part above the floor by 2 to the power of this.
    pub exponent: f64,
}

/// A mean of several runs, with half the width of its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half of the interval's width; 0 if there is only one run.
    pub within: f64,
}

/// The smallest and the largest exponent that is tried, in hundredths.
const EXPONENTS: (u32, u32) = (5, 300);

impl Law {
    /// The law of least squares for one loss, in bits, for each number of hands. `None` if there are fewer than four numbers of
    /// hands, or if the loss does not fall like that: no exponent fits, or the best one is the smallest or the largest that is
    /// tried.
    pub fn fit(losses: &[(f64, f64)]) -> Option<Self> {
        if losses.len() < 4 {
            return None;
        }
        let (least, most) = EXPONENTS;
        let laws = (least..=most).filter_map(|hundredths| {
            let exponent = f64::from(hundredths) / 100.0;
            let line = |(hands, loss): &(f64, f64)| (hands.powf(-exponent), *loss);
            let (floor, span) = straight_line(losses.iter().map(line))?;
            Some(Self {
                floor,
                span,
                exponent,
            })
        });
        let best = laws.min_by(|a, b| a.error(losses).total_cmp(&b.error(losses)))?;
        let is_inside = (f64::from(least) / 100.0 + 0.005..f64::from(most) / 100.0 - 0.005)
            .contains(&best.exponent);
        (best.span > 0.0 && is_inside).then_some(best)
    }

    /// The loss with this number of hands.
    pub fn at(&self, hands: f64) -> f64 {
        self.floor + self.span * hands.powf(-self.exponent)
    }

    fn error(&self, losses: &[(f64, f64)]) -> f64 {
        let error = |(hands, loss): &(f64, f64)| (self.at(*hands) - loss).powi(2);
        losses.iter().map(error).sum()
    }
}

/// Where the least-squares line crosses 0, and its slope.
fn straight_line(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<(f64, f64)> {
    let count = points.clone().count() as f64;
    let mean = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.clone().map(|point| (point.0 - x).powi(2)).sum();
    let both: f64 = points.map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| (y - both / spread * x, both / spread))
}

impl Estimate {
    /// The estimate from independent runs, by Student's t.
    pub fn of(values: &[f64]) -> Option<Self> {
        /// 97.5 % quantiles for 1, 2, ... degrees of freedom.
        const STUDENT: [f64; 10] = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        ];
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let within = match values.len() {
            0 => return None,
            1 => 0.0,
            runs => {
                let quantile = STUDENT[(runs - 2).min(STUDENT.len() - 1)];
                quantile * (squares / (count - 1.0) / count).sqrt()
            }
        };
        Some(Self { mean, within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(law: Law, hands: &[u32]) -> Vec<(f64, f64)> {
        let hands = hands.iter().map(|hands| f64::from(*hands));
        hands.map(|hands| (hands, law.at(hands))).collect()
    }

    #[test]
    fn a_law_is_found_again() {
        let law = Law {
            floor: 3.25,
            span: 0.22,
            exponent: 0.9,
        };
        let exact = losses(law, &[1, 2, 4, 8, 16, 32]);
        let found = Law::fit(&exact).unwrap();
        assert!((found.floor - law.floor).abs() < 1e-9, "{found:?}");
        assert!((found.span - law.span).abs() < 1e-9, "{found:?}");
        assert_eq!(found.exponent, law.exponent);
        let noisy: Vec<_> = exact
            .iter()
            .zip([0.001, -0.001].into_iter().cycle())
            .map(|((hands, loss), noise)| (*hands, loss + noise))
            .collect();
        let found = Law::fit(&noisy).unwrap();
        assert!((found.exponent - 0.9).abs() < 0.1, "{found:?}");
        assert!((found.at(1.0) - 3.47).abs() < 0.003, "{found:?}");
    }

    #[test]
    fn no_law_of_little_or_of_what_does_not_fall() {
        assert_eq!(Law::fit(&[(1.0, 3.0), (2.0, 2.5), (4.0, 2.2)]), None);
        let rising = [(1.0, 1.0), (2.0, 2.0), (4.0, 3.0), (8.0, 4.0)];
        assert_eq!(Law::fit(&rising), None);
        assert_eq!(Law::fit(&[(2.0, 1.0); 4]), None);
        // It falls with the logarithm, so there is no floor within what was measured.
        let falling: Vec<_> = (0..6)
            .map(|doublings| (f64::from(1 << doublings), 4.0 - 0.1 * f64::from(doublings)))
            .collect();
        assert_eq!(Law::fit(&falling), None);
    }

    #[test]
    fn few_runs_leave_much_in_doubt() {
        let within = |values: &[f64]| Estimate::of(values).unwrap().within;
        assert_eq!(within(&[2.0]), 0.0);
        assert!((within(&[1.0, 3.0]) - 12.706).abs() < 1e-9);
        assert!((within(&[1.0, 2.0, 3.0]) - 4.303 / 3f64.sqrt()).abs() < 1e-9);
        assert!(within(&[1.0, 2.0, 3.0, 2.0, 2.0]) < within(&[1.0, 2.0, 3.0]));
        assert_eq!(Estimate::of(&[]), None);
    }
}
