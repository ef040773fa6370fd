//! The salt that hides the table that an attester commits to, until it is revealed.
//!
//! It is derived from the account's key. So an attester that loses its disk in between can evaluate the round again and reveal.

use crate::chain::Keypair;
use gotong_protocol::Hash;
use gotong_scoring::blake2_256;
use subxt_signer::DeriveJunction;

/// Distinguishes keys that are derived for salts from all other keys.
const TAG: &[u8; 16] = b"gotong:a-salt:v1";

/// The salt for the commitment of `signer`'s account to a table for the inputs with this digest. The digest covers task and round.
///
/// It is the public half of a separate key that never signs anything. The derivation is hard: nobody can follow it without the
/// account's secret, and a revealed salt tells nothing about the others.
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

    /// Public data leads to other bytes. Anybody could follow a soft derivation from the account.
    #[test]
    fn nobody_else_can_follow_the_derivation() {
        let alice = development("Alice").unwrap();
        let of_inputs = blake2_256(&[TAG, &[4; 32]]);
        let soft = alice.derive([DeriveJunction::Soft(of_inputs)]);
        assert_ne!(soft.public_key().0, salt(&alice, &[4; 32]));
    }

    /// A later release has to reveal what this one committed to.
    #[test]
    fn golden_bytes() {
        let salt = salt(&development("Alice").unwrap(), &[4; 32]);
        let expected = "421a375c4edd347ff964c67ba8b608332e6bc94a41c08aabd33024294de4b918";
        assert_eq!(hex::encode(salt), expected);
    }
}
