//! What the passes hold in memory: no more than the graph says, and within a budget.

use super::*;
use crate::equality::residuals::weights;
use gotong_scoring::memory::residual_chain;

/// What an attester's program may take for samples.
const MOST: u64 = 200_000_000;

/// For each op, which earlier one a residual takes.
const CHAINS: [fn(u32) -> u32; 3] = [
    |_| 1,
    |op| if op > 2 { op - 2 } else { 1 },
    |op| if op < 125 { op - 1 } else { 249 - op },
];

fn of_kept(kept: &[Kept]) -> u64 {
    let bytes = kept.iter().map(|kept| {
        let wide = kept.wide.capacity() + kept.shares.capacity();
        kept.narrow.capacity() + 2 * wide + 4 * kept.sums.capacity()
    });
    bytes.sum::<usize>() as u64
}

fn of_pulled<'a>(pulled: impl IntoIterator<Item = &'a Pulled>) -> u64 {
    let bytes = pulled
        .into_iter()
        .map(|pulled| 4 * (pulled.values.capacity() + pulled.exponents.capacity()));
    bytes.sum::<usize>() as u64
}

/// What an op takes and gives, and the scratch memory of the ops.
fn of_the_rest(workspace: &Workspace) -> u64 {
    let (block, scratch) = (&workspace.block, &workspace.scratch);
    let narrow = block.narrow.len() + block.taken.len() + workspace.input.narrow.len();
    let wide = block.wide.len() + block.shares.len();
    let sums = block.sums.values.len() + block.losses.len() + scratch.sums.len();
    let adjoints = workspace.adjoints.values.len() + scratch.adjoints.values.len();
    let all = narrow + 2 * (wide + adjoints) + 4 * sums;
    all as u64 + of_pulled([&scratch.pulled])
}

#[test]
fn the_forward_pass_frees_a_tensor_after_its_last_use() {
    for from in CHAINS {
        let graph = residual_chain(from);
        let weights = weights(&graph);
        let plan = Plan::new(&graph, &weights).unwrap();
        let mut block = Block::default();
        block.start(&[200], &[3]);
        let mut most = 0u64;
        let each = |block: &Block, _: &Flow| most = most.max(of_kept(&block.kept));
        run(Evaluation {
            plan: &plan,
            block: &mut block,
            each,
        })
        .unwrap();
        assert!(most > 0);
        assert!(most <= graph.memory().unwrap().forward, "{most} bytes");
        assert_eq!(of_kept(&block.kept), 0);
    }
}

#[test]
fn both_passes_hold_no_more_than_the_budget() {
    for from in CHAINS {
        let graph = residual_chain(from);
        let weights = weights(&graph);
        let of_sample = graph.memory().unwrap().backward;
        let plan = GradientPlan::new(&graph, &weights).unwrap();
        for threads in [1, 2, 8, 32] {
            let cut = Cut::of(of_sample, BLOCK_ROWS, threads);
            let mut values = vec![0; weights.len()];
            let gradient = Gradient::of(&mut values);
            let mut workspace = Workspace::default();
            // A thread has many blocks, one after another.
            for _ in 0..2 {
                workspace.start(&vec![200; cut.size], &vec![3; cut.size]);
                let mut most = 0u64;
                run(BothPasses {
                    plan: &plan,
                    workspace: &mut workspace,
                    gradient: &gradient,
                    each: |pulled: &[Vec<Pulled>], free: &[Pulled]| {
                        let all = pulled.iter().flatten().chain(free);
                        most = most.max(of_pulled(all));
                    },
                })
                .unwrap();
                let bytes = most + of_kept(&workspace.block.kept) + of_the_rest(&workspace);
                let expected = cut.size as u64 * of_sample;
                assert!(bytes <= expected, "{bytes} bytes, not {expected}");
                assert!(bytes * threads as u64 <= MOST, "{threads} threads");
            }
        }
    }
}

#[test]
fn what_the_program_takes_is_told() {
    let small = FastCpu::memory(&residual_chain(|_| 1)).unwrap();
    // Holds with few threads; a machine with many takes a sample for each.
    let threads = rayon::current_num_threads() as u64;
    let of_sample = residual_chain(|_| 1).memory().unwrap().backward;
    assert!(small >= of_sample * threads.min(8));
    assert!(small <= MOST.max(2 * of_sample * threads));
    let invalid = Graph::mlp(&[2]);
    assert!(FastCpu::memory(&invalid).is_err());
}
