//! What hides the table that an attester commits to, until it is revealed.
//!
//! It follows from the account's key, so that an attester whose disk is lost in between can evaluate again and reveal.

use crate::chain::Keypair;
use gotong_protocol::Hash;
use gotong_scoring::blake2_256;
use subxt_signer::DeriveJunction;

/// Tells keys that are derived for salts from all others.
const TAG: &[u8; 16] = b"gotong:a-salt:v1";

/// The salt of what the account of `signer` commits to about the inputs with this digest, which covers task and round.
///
/// It is the public half of a key of its own, which nothing is ever signed with. The derivation is hard: without the account's
/// secret nobody can follow it, and a salt that was revealed tells nothing about the others.
pub(super) fn salt(signer: &Keypair, inputs: &Hash) -> Hash {
    let of_inputs = DeriveJunction::Hard(blake2_256(&[TAG, inputs]));
    signer.derive([of_inputs]).public_key().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::development;

    #[test]
    fn every_account_has_a_salt_of_its_own_for_all_inputs() {
        let (alice, bob) = (development("Alice").unwrap(), development("Bob").unwrap());
        let all = [
            salt(&alice, &[4; 32]),
            salt(&alice, &[5; 32]),
            salt(&bob, &[4; 32]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
            assert_ne!(*one, alice.public_key().0);
        }
        // A restart has the key, and nothing else.
        assert_eq!(salt(&development("Alice").unwrap(), &[4; 32]), all[0]);
    }

    /// What is public leads to other bytes: a soft derivation anybody could follow from the account.
    #[test]
    fn nobody_else_can_follow_the_derivation() {
        let alice = development("Alice").unwrap();
        let of_inputs = blake2_256(&[TAG, &[4; 32]]);
        let soft = alice.derive([DeriveJunction::Soft(of_inputs)]);
        assert_ne!(soft.public_key().0, salt(&alice, &[4; 32]));
    }

    /// Another release has to reveal what this one committed.
    #[test]
    fn golden_bytes() {
        let salt = salt(&development("Alice").unwrap(), &[4; 32]);
        let expected = "421a375c4edd347ff964c67ba8b608332e6bc94a41c08aabd33024294de4b918";
        assert_eq!(hex::encode(salt), expected);
    }
}
