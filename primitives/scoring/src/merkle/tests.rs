//! Trees, their proofs and branches.

use super::branch::depth;
use super::*;
use alloc::vec;
use proptest::collection::vec as any_vec;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn a_tree_is_what_its_docs_say() {
    let leaf = |data: &[u8]| blake2_256(&[&[0], data]);
    let (a, b, c) = (leaf(b"a"), leaf(b"b"), leaf(b"c"));
    let top = blake2_256(&[&[1], &blake2_256(&[&[1], &a, &b]), &c]);
    let root = blake2_256(&[&[2], &3u64.to_le_bytes(), &top]);
    assert_eq!(Tree::of([b"a", b"b", b"c"]).root().hash, root);

    let sum = |sum: u128| sum.to_le_bytes();
    let top = blake2_256(&[&[1], &a, &sum(5), &b, &sum(7)]);
    let root = Node {
        hash: blake2_256(&[&[2], &2u64.to_le_bytes(), &top, &sum(12)]),
        sum: 12,
    };
    assert_eq!(SumTree::summing([(b"a", 5), (b"b", 7)]).root(), root);
    let empty = blake2_256(&[&[2], &[0; 8], &[0; 32]]);
    assert_eq!(Tree::<()>::from_leaves(vec![]).root().hash, empty);
}

#[test]
fn overflowing_sums_are_refused() {
    let leaf = |value| Node::leaf(&[b"x"], value);
    let tree = Tree::from_leaves(vec![leaf(u128::MAX - 1), leaf(1), leaf(9)]);
    let proof = tree.prove(2).unwrap();
    assert_eq!(proof.climb(leaf(9)), None);
    // If sums wrapped, the last leaf would start at 0.
    let proof = SumProof {
        index: 1,
        leaves: 2,
        siblings: vec![leaf(u128::MAX)],
    };
    assert_eq!(proof.climb(leaf(1)), None);
}

#[test]
fn the_longest_proof_has_the_longest_encoding() {
    let proof = SumProof {
        index: 0,
        leaves: u32::MAX,
        siblings: vec![Node::default(); MAX_DEPTH],
    };
    assert_eq!(proof.encode().len(), SumProof::max_encoded_len());
    assert_eq!(
        SumProof::decode(&mut &proof.encode()[..]),
        Ok(proof.clone())
    );
    let deeper = SumProof {
        siblings: vec![Node::default(); MAX_DEPTH + 1],
        ..proof
    };
    assert!(SumProof::decode(&mut &deeper.encode()[..]).is_err());
    // The largest tree is climbed without overflow.
    let last = SumProof {
        index: u32::MAX - 1,
        leaves: u32::MAX,
        siblings: vec![Node::default(); MAX_DEPTH - 1],
    };
    assert_eq!(last.verify(&Node::default(), b"", 0), None);
}

#[test]
fn the_proof_is_golden() {
    let leaves = (0..5u8).map(|leaf| ([leaf], u64::from(leaf) * 1000));
    let tree = SumTree::summing(leaves);
    let root = "55a6edf4cb56aedc353d484d70f3f419999b9d5c75c3499763ec4750885f7bd0\
        10270000000000000000000000000000";
    assert_eq!(hex::encode(tree.root().encode()), root);
    // Index, leaves, three siblings: leaf 3, leaves 0 and 1, leaf 4.
    let proof = "02000000050000000c\
        da71b5a250e13516be21e61457038fe23ba276e5dc9f36bf96430f174f8a4605\
        b80b0000000000000000000000000000\
        922de303c30de37ac2d3282d1bc40c621ae6da86da4375f815f850892326f560\
        e8030000000000000000000000000000\
        7324cf9181f377b38e2edeca7a080796554246690656566def41afedef911d0d\
        a00f0000000000000000000000000000";
    assert_eq!(hex::encode(tree.prove(2).unwrap().encode()), proof);
}

proptest! {
    #[test]
    fn spans_lead_to_the_root(leaves in 1u32..70, from in any::<Index>(), to in any::<Index>(), bit in any::<Index>()) {
        let tree = Tree::of((0..leaves).map(u32::to_le_bytes));
        let (a, b) = (from.index(leaves as usize) as u32, to.index(leaves as usize) as u32);
        let (first, count) = (a.min(b), a.abs_diff(b) + 1);
        let nodes = tree.nodes(0, first, count);
        let mut siblings = tree.prove_span(first, count);
        prop_assert_eq!(root_of_span(leaves, first, nodes.clone(), &siblings), Some(tree.root().hash));
        prop_assert_eq!(tree.prove_each(&[a, b]), [a, b].map(|leaf| tree.prove_span(leaf, 1)));
        if first > 0 {
            prop_assert_ne!(root_of_span(leaves, first - 1, nodes.clone(), &siblings), Some(tree.root().hash));
        }
        siblings.push([0; 32]);
        prop_assert_eq!(root_of_span(leaves, first, nodes.clone(), &siblings), None);
        siblings.pop();
        if !siblings.is_empty() {
            let at = bit.index(siblings.len());
            siblings[at][0] ^= 1;
            prop_assert_ne!(root_of_span(leaves, first, nodes, &siblings), Some(tree.root().hash));
        }
    }

    #[test]
    fn branches_lead_to_every_leaf(leaves in 1u32..700, at in any::<Index>()) {
        let at = at.index(leaves as usize) as u32;
        let tree = SumTree::summing((0..leaves).map(|leaf| (leaf.to_le_bytes(), u64::from(leaf))));
        let mut branch = Branch::whole(tree.root(), leaves);
        let mut strides = 0;
        while !branch.is_leaf() {
            let (level, first, span) = branch.inside();
            prop_assert!((first..first + span).contains(&at));
            let mut nodes = tree.nodes(level, first, span);
            prop_assert!(nodes.len() <= 1 << MAX_STRIDE);
            prop_assert!(branch.opens_to(&nodes));
            let nth = (at >> level) - (first >> level);
            let child = branch.child(&nodes, nth).unwrap();
            nodes[nth as usize].sum += 1;
            prop_assert!(!branch.opens_to(&nodes));
            prop_assert!(!branch.opens_to(&nodes[1..]));
            branch = child;
            strides += 1;
        }
        prop_assert_eq!(branch.index, at);
        prop_assert_eq!(branch.node, tree.nodes(0, at, 1)[0]);
        prop_assert_eq!(strides, depth(leaves).div_ceil(MAX_STRIDE).max(1));
    }

    #[test]
    fn proofs_prove(values in any_vec(any::<u64>(), 1..40), at in any::<Index>()) {
        let at = at.index(values.len());
        let leaves = values.iter().map(|value| (value.to_be_bytes(), *value));
        let (summing, plain) = (SumTree::summing(leaves.clone()), Tree::of(leaves.map(|leaf| leaf.0)));
        let leaf = values[at].to_be_bytes();
        let proof = summing.prove(at as u32).unwrap();
        let before: u128 = values[..at].iter().map(|value| u128::from(*value)).sum();
        prop_assert_eq!(proof.verify(&summing.root(), &leaf, values[at]), Some(before));
        let total: u128 = values.iter().map(|value| u128::from(*value)).sum();
        prop_assert_eq!(summing.root().sum, total);
        let proof = plain.prove(at as u32).unwrap();
        prop_assert!(proof.verify(&plain.root().hash, &leaf));
        prop_assert_eq!(Proof::decode(&mut &proof.encode()[..]), Ok(proof));
        prop_assert_eq!(plain.prove(values.len() as u32), None);
    }

    #[test]
    fn changed_proofs_do_not(
        values in any_vec(1u64..1000, 2..40), at in any::<Index>(), bit in any::<Index>(), what in 0..6
    ) {
        let at = at.index(values.len());
        // No two leaves are the same.
        let data = |index: usize| (1000 * index as u64 + values[index]).to_be_bytes();
        let tree = SumTree::summing(values.iter().enumerate().map(|(at, value)| (data(at), *value)));
        let (mut leaf, mut value) = (data(at), values[at]);
        let mut proof = tree.prove(at as u32).unwrap();
        match what {
            0 => leaf[0] ^= 1,
            1 => value += 1,
            2 => {
                proof.siblings.pop();
            }
            3 => proof.siblings.push(Node::default()),
            4 => proof.index ^= 1 << bit.index(32),
            _ => {
                let mut bytes = proof.encode();
                let bit = bit.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                match SumProof::decode(&mut &bytes[..]) {
                    Ok(changed) => proof = changed,
                    Err(_) => return Ok(()),
                }
            }
        }
        prop_assert_eq!(proof.verify(&tree.root(), &leaf, value), None);
    }
}
