//! Integer matrix product of 16-bit operands, with the machine's widest multiply-add.

/// Rows of both operands are padded with zeros to a multiple of this length.
pub const LANES: usize = 32;
/// Numbers of rows are padded to a multiple of this.
pub const ROWS: usize = 4;

/// Rounds a number of rows up to what [`products`] takes.
pub fn padded_rows(rows: usize) -> usize {
    rows.next_multiple_of(ROWS)
}

/// Rounds a row length up to what [`products`] takes.
pub fn padded_length(length: usize) -> usize {
    length.next_multiple_of(LANES)
}

/// `out[s][o] = sum_k x[s][k] * w[o][k]`: `x` is `[samples, length]`, `w` `[outputs, length]`,
/// `out` `[samples, outputs]`, all row-major.
///
/// `length` is a multiple of [`LANES`], `samples` and `outputs` of [`ROWS`]. Exact when the sum of
/// the products' magnitudes fits 32 bits (a valid graph proves that), wrapping otherwise.
pub fn products(x: &[i16], w: &[i16], length: usize, out: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has the features that `avx512` is compiled for.
            return unsafe { x86::avx512(x, w, length, out) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the feature that `avx2` is compiled for.
            return unsafe { x86::avx2(x, w, length, out) };
        }
    }
    portable(x, w, length, out);
}

/// For every other processor: dot products that the compiler vectorises.
fn portable(x: &[i16], w: &[i16], length: usize, out: &mut [i32]) {
    let outputs = w.len() / length;
    for (row, sums) in x.chunks_exact(length).zip(out.chunks_exact_mut(outputs)) {
        for (weights, sum) in w.chunks_exact(length).zip(sums) {
            let products = row
                .iter()
                .zip(weights)
                .map(|(&a, &b)| i32::from(a) * i32::from(b));
            *sum = products.fold(0, i32::wrapping_add);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::ROWS;
    use std::{arch::x86_64::*, array::from_fn, mem::transmute};

    /// A kernel for one vector width: tiles of `ROWS` samples by `ROWS` outputs stay in registers
    /// while pairs of products are added up along `length`.
    macro_rules! kernel {
        ($name:ident, $features:literal, $lanes:literal, $vector:ty, $zero:ident, $multiply_add:expr) => {
            #[target_feature(enable = $features)]
            pub fn $name(x: &[i16], w: &[i16], length: usize, out: &mut [i32]) {
                let (x, _) = x.as_chunks::<$lanes>();
                let (w, _) = w.as_chunks::<$lanes>();
                let steps = length / $lanes;
                let (samples, outputs) = (x.len() / steps, w.len() / steps);
                for o in (0..outputs).step_by(ROWS) {
                    let w: [_; ROWS] = from_fn(|i| &w[(o + i) * steps..][..steps]);
                    for s in (0..samples).step_by(ROWS) {
                        let x: [_; ROWS] = from_fn(|i| &x[(s + i) * steps..][..steps]);
                        let mut sums = [[$zero(); ROWS]; ROWS];
                        for k in 0..steps {
                            // SAFETY: array and vector have the same size, and any bits are
                            // valid in both.
                            let load = |row: &[[i16; $lanes]]| unsafe {
                                transmute::<[i16; $lanes], $vector>(row[k])
                            };
                            let w = w.map(load);
                            for i in 0..ROWS {
                                let x = load(x[i]);
                                for j in 0..ROWS {
                                    sums[i][j] = $multiply_add(sums[i][j], x, w[j]);
                                }
                            }
                        }
                        for i in 0..ROWS {
                            for j in 0..ROWS {
                                // SAFETY: as above.
                                let lanes =
                                    unsafe { transmute::<$vector, [i32; $lanes / 2]>(sums[i][j]) };
                                out[(s + i) * outputs + o + j] =
                                    lanes.into_iter().fold(0, i32::wrapping_add);
                            }
                        }
                    }
                }
            }
        };
    }

    kernel!(
        avx2,
        "avx2",
        16,
        __m256i,
        _mm256_setzero_si256,
        |sum, x, w| _mm256_add_epi32(sum, _mm256_madd_epi16(x, w))
    );
    kernel!(
        avx512,
        "avx512f,avx512bw,avx512vnni",
        32,
        __m512i,
        _mm512_setzero_si512,
        |sum, x, w| _mm512_dpwssd_epi32(sum, x, w)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_same_products() {
        let (samples, outputs, length) = (8, 12, 96);
        let x: Vec<i16> = (0..samples * length)
            .map(|i| (i * 7919 % 255) as i16 - 127)
            .collect();
        let w: Vec<i16> = (0..outputs * length)
            .map(|i| (i * 6007 % 255) as i16 - 127)
            .collect();
        let mut expected = vec![0; samples * outputs];
        portable(&x, &w, length, &mut expected);
        let mut found = vec![0; samples * outputs];
        products(&x, &w, length, &mut found);
        assert_eq!(found, expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            found.fill(0);
            // SAFETY: the feature was just detected.
            unsafe { x86::avx2(&x, &w, length, &mut found) };
            assert_eq!(found, expected);
        }
    }
}
