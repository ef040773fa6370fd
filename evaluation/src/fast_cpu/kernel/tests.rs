use super::*;

/// Compares both products, of operands at their extremes and between, with plain loops.
struct Check {
    rows: usize,
    inputs: usize,
    columns: usize,
}

impl Check {
    fn value(at: usize) -> i8 {
        match at % 5 {
            0 => 127,
            1 => -127,
            _ => (at * 7919 % 255) as i8,
        }
    }

    fn matrix(rows: usize, length: usize, seed: usize) -> Vec<i8> {
        let value = |at: usize| Self::value(at + seed).max(-127);
        (0..rows * length).map(value).collect()
    }
}

impl Work for Check {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let Self {
            rows,
            inputs,
            columns,
        } = self;
        let (x, w) = (
            Self::matrix(rows, inputs, 3),
            Self::matrix(columns, inputs, 11),
        );
        let (mut left, mut right) = (Rows::default(), Panels::default());
        let stride = columns.next_multiple_of(COLUMNS) + 32;
        let mut sums = vec![0; rows * stride];
        left.pack_activations::<K>(inputs, x.chunks_exact(inputs));
        let first: Vec<i32> = (0..columns).map(|column| column as i32 - 5).collect();
        let rows = w.chunks_exact(inputs).zip(first.iter().copied());
        right.pack_activations::<K>(inputs, rows);
        let out = Out {
            sums: &mut sums,
            stride,
        };
        activations::<K>(&left, &right, Part::All, out);
        let product = |row: &[i8], column: usize| -> i32 {
            let column = (0..inputs).map(|k| i32::from(w[column * inputs + k]));
            row.iter().zip(column).map(|(x, w)| i32::from(*x) * w).sum()
        };
        for (row, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact(stride)) {
            for (column, sum) in sums[..columns].iter().enumerate() {
                assert_eq!(*sum, product(row, column) + first[column]);
            }
        }

        // The same weights the other way round, and halves of 14 bits.
        let transposed: Vec<i8> = (0..inputs * columns)
            .map(|at| w[at % columns * inputs + at / columns])
            .collect();
        let halves_of = |x: &[i8]| -> Vec<i16> { x.iter().map(|x| i16::from(*x) * 128).collect() };
        let wide: Vec<Vec<i16>> = x.chunks_exact(inputs).map(halves_of).collect();
        left.pack_halves(inputs, wide.iter().map(Vec::as_slice));
        right.pack_columns(columns, transposed.chunks_exact(columns));
        let out = Out {
            sums: &mut sums,
            stride,
        };
        halves::<K>(&left, &right, Part::All, out);
        for (row, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact(stride)) {
            for (column, sum) in sums[..columns].iter().enumerate() {
                assert_eq!(*sum, 128 * product(row, column));
            }
        }

        // And with each operand packed from its other side, tile by tile.
        let tile_by_tile = |left: &Rows, right: &Panels, factor: i32| {
            let mut sums = vec![0; ROWS * stride];
            for tile in 0..left.count_tiles() {
                let out = Out {
                    sums: &mut sums,
                    stride,
                };
                halves_of_tile::<K>(left, tile, right, out);
                let rows = x.chunks_exact(inputs).skip(tile * ROWS);
                for (row, sums) in rows.zip(sums.chunks_exact(stride)) {
                    for (column, sum) in sums[..columns].iter().enumerate() {
                        assert_eq!(*sum, factor * product(row, column));
                    }
                }
            }
        };
        let of_input = |k: usize| wide.iter().map(|row| row[k]).collect();
        let by_input: Vec<Vec<i16>> = (0..inputs).map(of_input).collect();
        left.pack_transposed(wide.len(), by_input.iter().map(Vec::as_slice));
        right.pack_rows(inputs, w.chunks_exact(inputs));
        tile_by_tile(&left, &right, 128);
        let shifted = transposed.chunks_exact(columns).map(|row| (row, 1));
        right.pack_shifted_columns(columns, shifted);
        tile_by_tile(&left, &right, 256);
    }
}

#[test]
fn every_kernel_gives_the_same_sums() {
    for (rows, inputs, columns) in [
        (1, 1, 1),
        (6, 4, 32),
        (7, 5, 33),
        (13, 67, 70),
        (5, 1025, 3),
    ] {
        let check = || Check {
            rows,
            inputs,
            columns,
        };
        check().run::<Portable>();
        run(check());
        #[cfg(target_arch = "x86_64")]
        if x86::Avx2::is_here() {
            // SAFETY: the processor has what it is compiled for.
            unsafe { x86::avx2(check()) };
        }
    }
}

/// The longest sums of a valid graph, with the largest values.
struct Longest;

impl Work for Longest {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self) {
        let inputs = 133_142;
        let (most, least) = (vec![127i8; inputs], vec![-127i8; inputs]);
        let (mut left, mut right) = (Rows::default(), Panels::default());
        left.pack_activations::<K>(inputs, [&most[..], &least].into_iter());
        let columns = [(&most[..], 32_512), (&least, -32_512)];
        right.pack_activations::<K>(inputs, columns.into_iter());
        let mut sums = vec![0; 2 * COLUMNS];
        let out = Out {
            sums: &mut sums,
            stride: COLUMNS,
        };
        activations::<K>(&left, &right, Part::All, out);
        let product = 127 * 127 * inputs as i32;
        let (first, bias) = (&sums[..2], 32_512);
        assert_eq!(first, [product + bias, -product - bias]);
        assert_eq!(sums[COLUMNS..][..2], [bias - product, product - bias]);
    }
}

#[test]
fn the_longest_sums_fit() {
    Longest.run::<Portable>();
    run(Longest);
    #[cfg(target_arch = "x86_64")]
    if x86::Avx2::is_here() {
        // SAFETY: the processor has what it is compiled for.
        unsafe { x86::avx2(Longest) };
    }
}
