//! The product of two packed operands, tile by tile.

use super::{Kernel, Panels, Rows, Tile, Words, COLUMNS, ROWS};

/// Which part of a product is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// Row `r` needs only the columns up to `r`.
    CausalColumns,
    /// All of it; in row `r` of the left operand only the halves up to `r` are not zero.
    CausalHalves,
}

impl Part {
    /// How many words of a sum, and how many columns, suffice for the rows up to `row`.
    #[inline(always)]
    fn enough(self, row: usize) -> (usize, usize) {
        match self {
            Self::All => (usize::MAX, usize::MAX),
            Self::CausalColumns => (usize::MAX, row + 1),
            Self::CausalHalves => (row / 2 + 1, usize::MAX),
        }
    }
}

/// Where a product goes: row `r` begins at `r * stride`.
pub struct Out<'a> {
    pub sums: &'a mut [i32],
    pub stride: usize,
}

/// `out[r][c] = first[c] + sum_k left[r][k] * right[k][c]` for activations.
#[inline(always)]
pub fn activations<K: Kernel>(left: &Rows, right: &Panels, part: Part, out: Out) {
    product(left, right, part, out, |left, right, sums| {
        K::activations(left, right, sums)
    });
}

/// The same for halves.
#[inline(always)]
pub fn halves<K: Kernel>(left: &Rows, right: &Panels, part: Part, out: Out) {
    product(left, right, part, out, |left, right, sums| {
        K::halves(left, right, sums)
    });
}

#[inline(always)]
fn product(
    left: &Rows,
    right: &Panels,
    part: Part,
    out: Out,
    add: impl Fn(&[&[i32]; ROWS], &[Words], &mut Tile),
) {
    let length = left.length();
    // A panel stays in the first-level cache while the rows stream past.
    for (panel, (words, first)) in right.panels().enumerate() {
        for (tile, rows) in left.tiles().enumerate() {
            let row = tile * ROWS;
            let (enough, columns) = part.enough(row + ROWS - 1);
            if panel * COLUMNS >= columns {
                continue;
            }
            let rows = std::array::from_fn(|row| &rows[row * length..][..length]);
            let mut sums = [*first; ROWS];
            add(&rows, &words[..enough.min(length)], &mut sums);
            for (row, sums) in (row..).zip(&sums) {
                let start = row * out.stride + panel * COLUMNS;
                // Rows of padding have no place in the output.
                if let Some(place) = out.sums.get_mut(start..start + COLUMNS) {
                    place.copy_from_slice(sums);
                }
            }
        }
    }
}

/// [`halves`] for all columns and one tile of rows, which `out` begins with.
#[inline(always)]
pub fn halves_of_tile<K: Kernel>(left: &Rows, tile: usize, right: &Panels, out: Out) {
    let length = left.length();
    let rows = left.tile(tile);
    let rows = std::array::from_fn(|row| &rows[row * length..][..length]);
    for (panel, (words, first)) in right.panels().enumerate() {
        let mut sums = [*first; ROWS];
        K::halves(&rows, words, &mut sums);
        for (row, sums) in sums.iter().enumerate() {
            out.sums[row * out.stride + panel * COLUMNS..][..COLUMNS].copy_from_slice(sums);
        }
    }
}
