//! `Embed`: a row for every token.

use burn::tensor::{Device, Int, Tensor};

use super::{
    adjoint::{product, Backwards, Pulled},
    arith::{int, rs},
    Context,
};

pub(super) struct Embed {
    /// `[vocab, width]`.
    pub of_tokens: Tensor<2, Int>,
    /// `[1, tokens, width]`.
    pub of_places: Tensor<3, Int>,
    pub shift: i32,
}

impl Embed {
    pub fn new(tokens: u32, width: u32, shift: u8, weights: &[i16], device: &Device) -> Self {
        let (tokens, width) = (tokens as usize, width as usize);
        let rows = int(weights.iter().map(|&w| w.into()).collect(), device);
        let rows: Tensor<2, Int> = rows.reshape([weights.len() / width, width]);
        let vocab = weights.len() / width - tokens;
        let of_places = rows.clone().slice_dim(0, vocab..vocab + tokens);
        Self {
            of_tokens: rows.slice_dim(0, 0..vocab),
            of_places: of_places.unsqueeze_dim(0),
            shift: shift.into(),
        }
    }

    /// Tokens to wide values.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let (samples, tokens, width) = (context.samples(), context.tokens, context.width);
        let tokens_of_all = values.reshape([samples * tokens]);
        let rows = self.of_tokens.clone().select(0, tokens_of_all);
        let sums = rows.reshape([samples, tokens, width]) + self.of_places.clone();
        let sums = sums.reshape([samples * tokens, width]);
        rs(sums, self.shift).clamp(-32_767, 32_767)
    }

    /// Sums the adjoints of a token's rows over its places, in `2^-shift`, where the sum is inside
    /// its bounds.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (samples, tokens, width) = (
            here.context.samples(),
            here.context.tokens,
            here.context.width,
        );
        let [vocab, _] = self.of_tokens.dims();
        let of_places = here.rows_inside(32_767);
        let shape = [samples, tokens, vocab];
        let all = int((0..vocab as i32).collect(), &of_places.device());
        let all = all.reshape([1, 1, vocab]).expand(shape);
        let own = here.before.clone().reshape([samples, tokens, 1]);
        let is_own = own.expand(shape).equal(all).float();
        let rows = of_places.clone().reshape([samples, tokens, width]);
        // At most 1024 rows.
        let of_tokens = product(rows.swap_dims(1, 2), here.adjoint.bits, is_own);
        let of_tokens = here.sums(of_tokens.swap_dims(1, 2), -self.shift);
        Pulled {
            parameters: vec![
                (0, of_tokens),
                (vocab * width, here.sums(of_places, -self.shift)),
            ],
            ..Pulled::default()
        }
    }
}
