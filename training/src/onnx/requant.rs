//! `Requant`: the same real value in other steps, and the clamps.

use gotong_scoring::Width;

use super::{super::units::power, twin::Twin, Value};

/// The largest narrow value, in steps.
pub const NARROW: f32 = 127.0;
/// The largest wide value, in steps.
pub const WIDE: f32 = 32_767.0;

/// It is clamped twice: before it is multiplied, and after.
pub fn requant(
    input: Value,
    twin: &mut Twin,
    width: Width,
    multiplier: u8,
    shift_out: u8,
) -> Value {
    let outer = match width {
        Width::Narrow => NARROW,
        Width::Wide => WIDE,
    };
    let inner = WIDE * f32::from(multiplier) / power(shift_out);
    let bound = outer.min(inner) / twin.steps();
    let (x, layout) = input.pointwise(&mut twin.nodes);
    let clipped = twin.nodes.clip(&x, bound);
    twin.given(clipped, layout)
}
