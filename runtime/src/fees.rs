//! Who pays for a transaction: the account that signs it. But stake always has a way out, even if its account cannot pay.
//!
//! An account may send away all of its free balance, as a wallet does with `transfer_all`. Money on hold keeps the account
//! alive: its nonce stays, and so does its last existential deposit, which no fee can take either. But its stake would be
//! locked in until somebody sends it money for two fees. So the calls that a pallet declares feeless are free for an account
//! that cannot pay for them: the `unstake` of a whole stake, and `withdraw`.
//!
//! Nobody can fill blocks with them. A call is feeless only if it would succeed now: the one `unstake` that ends a stake for
//! which a `register` or an `add_stake` was paid, and the one `withdraw` after an `unstake`, an unbonding period later. A call
//! that would fail, such as a second try, is not valid: no pool keeps it, and no block accepts it. A free call has the lowest
//! priority and offers no tip, and a call inside a batch or by a proxy is never free.
//!
//! A pallet may also give a fee back: an account that publishes credits unknown to the chain pays in advance and gets the fee back.

#![deny(missing_docs)]

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::dispatch::CheckIfFeeless;
use pallet_transaction_payment::{ChargeTransactionPayment, Pre, Val};
use scale_info::TypeInfo;
use sp_runtime::{
    traits::{
        DispatchInfoOf, Implication, PostDispatchInfoOf, TransactionExtension, ValidateResult,
    },
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
    DispatchResult, Weight,
};

use crate::{Runtime, RuntimeCall, RuntimeOrigin};

/// The extension that charges for a transaction.
type Charge = ChargeTransactionPayment<Runtime>;

/// Charges as [`ChargeTransactionPayment`] does, but not for a feeless call of an account that cannot pay for it.
///
/// To wallets it is [`ChargeTransactionPayment`]: it has its name, its type and its encoding.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct ChargeWhoCanPay(pub Charge);

impl TypeInfo for ChargeWhoCanPay {
    type Identity = Charge;

    fn type_info() -> scale_info::Type {
        <Charge as TypeInfo>::type_info()
    }
}

impl TransactionExtension<RuntimeCall> for ChargeWhoCanPay {
    const IDENTIFIER: &'static str = <Charge as TransactionExtension<RuntimeCall>>::IDENTIFIER;
    type Implicit = ();
    type Val = Val<Runtime>;
    type Pre = Pre<Runtime>;

    fn weight(&self, call: &RuntimeCall) -> Weight {
        // The call reads again what the check of a feeless call reads.
        self.0.weight(call)
    }

    fn validate(
        &self,
        origin: RuntimeOrigin,
        call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        len: usize,
        implicit: Self::Implicit,
        implication: &impl Implication,
        source: TransactionSource,
    ) -> ValidateResult<Self::Val, RuntimeCall> {
        let payer = origin.clone();
        let charged = self
            .0
            .validate(payer, call, info, len, implicit, implication, source);
        match charged {
            // An account that offers a tip it cannot pay is not treated as one that cannot pay the fee.
            Err(TransactionValidityError::Invalid(InvalidTransaction::Payment))
                if self.0.tip() == 0 && call.is_feeless(&origin) =>
            {
                Ok((ValidTransaction::default(), Val::NoCharge, origin))
            }
            charged => charged,
        }
    }

    fn prepare(
        self,
        val: Self::Val,
        origin: &RuntimeOrigin,
        call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        len: usize,
    ) -> Result<Self::Pre, TransactionValidityError> {
        self.0.prepare(val, origin, call, info, len)
    }

    fn post_dispatch_details(
        pre: Self::Pre,
        info: &DispatchInfoOf<RuntimeCall>,
        post_info: &PostDispatchInfoOf<RuntimeCall>,
        len: usize,
        result: &DispatchResult,
    ) -> Result<Weight, TransactionValidityError> {
        <Charge as TransactionExtension<RuntimeCall>>::post_dispatch_details(
            pre, info, post_info, len, result,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        presets, Balance, Balances, BlockNumber, Executive, Signature, SignedPayload, System,
        TxExtension, UncheckedExtrinsic, EXISTENTIAL_DEPOSIT, UNIT,
    };
    use frame_support::traits::Get;
    use gotong_protocol::Roles;
    use pallet_contribution::Call as Contribution;
    use sp_genesis_builder::DEV_RUNTIME_PRESET;
    use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie};
    use sp_runtime::{generic::Era, BuildStorage, DispatchError};

    const STAKE: Balance = 100 * UNIT;
    const CANNOT_PAY: Submitted = Err(TransactionValidityError::Invalid(
        InvalidTransaction::Payment,
    ));

    /// Whether a transaction is valid, and if so whether its call succeeded.
    type Submitted = Result<Result<(), DispatchError>, TransactionValidityError>;

    fn execute(test: impl FnOnce()) {
        let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
        let storage = genesis.build_storage().expect("the genesis builds");
        sp_io::TestExternalities::from(storage).execute_with(|| {
            System::initialize(&1, &Default::default(), &Default::default());
            test();
        });
    }

    /// Signs the call, shows it to a pool, and puts it into a block: the two agree on whether it is valid.
    fn submit_with_tip(
        who: Sr25519Keyring,
        call: impl Into<RuntimeCall>,
        tip: Balance,
    ) -> Submitted {
        let call = call.into();
        let account = who.to_account_id();
        let extension: TxExtension = (
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckEra::from(Era::Immortal),
            frame_system::CheckNonce::from(System::account_nonce(&account)),
            frame_system::CheckWeight::new(),
            ChargeWhoCanPay(Charge::from(tip)),
            frame_metadata_hash_extension::CheckMetadataHash::new(false),
            frame_system::WeightReclaim::new(),
        );
        let payload =
            SignedPayload::new(call.clone(), extension.clone()).expect("it can be signed");
        let signature: Signature = payload.using_encoded(|bytes| who.sign(bytes)).into();
        let transaction =
            UncheckedExtrinsic::new_signed(call, account.into(), signature, extension);
        let source = TransactionSource::External;
        let in_pool =
            Executive::validate_transaction(source, transaction.clone(), Default::default());
        let in_block = Executive::apply_extrinsic(transaction);
        assert_eq!(in_pool.map(|_| ()), in_block.map(|_| ()));
        in_block
    }

    fn submit(who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> Submitted {
        submit_with_tip(who, call, 0)
    }

    fn register(who: Sr25519Keyring) {
        let call = Contribution::<Runtime>::register {
            roles: Roles::CONTRIBUTOR,
            stake: STAKE,
        };
        assert_eq!(submit(who, call), Ok(Ok(())));
    }

    fn unstake(amount: Balance) -> Contribution<Runtime> {
        Contribution::unstake { amount }
    }

    fn withdraw() -> Contribution<Runtime> {
        Contribution::withdraw {}
    }

    fn in_batch(call: impl Into<RuntimeCall>) -> pallet_utility::Call<Runtime> {
        let calls = vec![call.into()];
        pallet_utility::Call::batch_all { calls }
    }

    fn free(who: Sr25519Keyring) -> Balance {
        Balances::free_balance(who.to_account_id())
    }

    /// Acts as if blocks went by until everything that is unbonding has unbonded.
    fn wait() {
        let unbonding: BlockNumber =
            <Runtime as pallet_contribution::Config>::UnbondingBlocks::get();
        System::set_block_number(System::block_number() + unbonding);
    }

    #[test]
    fn an_account_that_has_sent_away_all_gets_its_stake_out() {
        execute(|| {
            register(Bob);
            let all_away = pallet_balances::Call::<Runtime>::transfer_all {
                dest: Charlie.to_account_id().into(),
                keep_alive: false,
            };
            assert_eq!(submit(Bob, all_away), Ok(Ok(())));
            // The hold keeps the account, and with it the last existential deposit.
            assert_eq!(free(Bob), EXISTENTIAL_DEPOSIT);
            assert_eq!(System::providers(&Bob.to_account_id()), 1);

            // No other call is free, not even in disguise.
            let remark = frame_system::Call::<Runtime>::remark {
                remark: Default::default(),
            };
            assert_eq!(submit(Bob, remark), CANNOT_PAY);
            for refused in [0, STAKE / 2, STAKE + 1] {
                assert_eq!(submit(Bob, unstake(refused)), CANNOT_PAY, "{refused}");
            }
            assert_eq!(submit_with_tip(Bob, unstake(STAKE), 1), CANNOT_PAY);
            assert_eq!(submit(Bob, in_batch(unstake(STAKE))), CANNOT_PAY);
            assert_eq!(submit(Bob, withdraw()), CANNOT_PAY);

            assert_eq!(submit(Bob, unstake(STAKE)), Ok(Ok(())));
            assert_eq!(submit(Bob, unstake(STAKE)), CANNOT_PAY);
            assert_eq!(submit(Bob, withdraw()), CANNOT_PAY);
            wait();
            assert_eq!(submit(Bob, in_batch(withdraw())), CANNOT_PAY);
            assert_eq!(submit(Bob, withdraw()), Ok(Ok(())));
            assert_eq!(free(Bob), EXISTENTIAL_DEPOSIT + STAKE);

            // Now it can pay, even for calls that are refused.
            let refused = submit(Bob, withdraw());
            assert!(matches!(refused, Ok(Err(_))), "{refused:?}");
            assert!(free(Bob) < EXISTENTIAL_DEPOSIT + STAKE);
        });
    }

    #[test]
    fn who_can_pay_pays_for_its_way_out() {
        execute(|| {
            register(Alice);
            let before = free(Alice);
            assert_eq!(submit(Alice, unstake(STAKE)), Ok(Ok(())));
            let after = free(Alice);
            assert!(after < before);
            // A tip that nobody could pay makes nothing free.
            assert_eq!(
                submit_with_tip(Alice, withdraw(), Balance::MAX / 2),
                CANNOT_PAY
            );
            wait();
            assert_eq!(
                submit_with_tip(Alice, withdraw(), Balance::MAX / 2),
                CANNOT_PAY
            );
            assert_eq!(submit(Alice, withdraw()), Ok(Ok(())));
            assert!(free(Alice) < after + STAKE);
        });
    }

    #[test]
    fn to_wallets_it_is_the_usual_extension() {
        let ours = <ChargeWhoCanPay as TransactionExtension<RuntimeCall>>::metadata();
        let usual = <Charge as TransactionExtension<RuntimeCall>>::metadata();
        assert_eq!((ours.len(), usual.len()), (1, 1));
        for (ours, usual) in ours.iter().zip(&usual) {
            assert_eq!(ours.identifier, usual.identifier);
            assert!(ours.ty == usual.ty && ours.implicit == usual.implicit);
        }
        let tip = 7 * UNIT;
        assert_eq!(
            ChargeWhoCanPay(Charge::from(tip)).encode(),
            Charge::from(tip).encode()
        );
    }
}
