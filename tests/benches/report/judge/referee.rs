//! The referee as the chain runs it: in the runtime's Wasm.

use super::REPEATS;
use crate::worker::median;
use anyhow::{ensure, Context, Result};
use codec::{Decode, Encode};
use frame_support::view_functions::ViewFunctionDispatchError;
use gotong_runtime::{Runtime, WASM_BINARY};
use gotong_scoring::{
    share::{
        trial::{Answer, Ruling, Shown, Statement, Trial},
        Stage,
    },
    trial::Refusal,
    RoundFacts, TableSummary,
};
use sc_executor::WasmExecutor;
use sp_core::traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode};
use std::time::Instant;
use subxt::Metadata;

/// The referee's view function `rule`.
pub struct Referee {
    executor: WasmExecutor,
    code: WrappedRuntimeCode<'static>,
    view_function: [u8; 32],
}

impl Referee {
    /// The referee of the runtime that this was built with.
    pub fn new() -> Result<Self> {
        let code = WASM_BINARY.context("the runtime was built with its Wasm")?;
        // Some constants in the metadata are read from storage.
        let metadata = sp_io::TestExternalities::default()
            .execute_with(|| Runtime::metadata_at_version(16))
            .context("metadata of version 16")?;
        let metadata = Metadata::decode(&mut &metadata[..])?;
        let view_function = metadata
            .pallet_by_name("Referee")
            .and_then(|pallet| pallet.view_function_by_name("rule"))
            .context("the referee has a view function `rule`")?;
        Ok(Self {
            executor: WasmExecutor::builder().build(),
            code: WrappedRuntimeCode(code.into()),
            view_function: *view_function.query_id(),
        })
    }

    /// The time that the referee takes for an answer: that of the call, less that of a call that is refused because it is the
    /// challenger's turn. The referee has to rule as it does here.
    pub fn milliseconds(
        &self,
        facts: &RoundFacts,
        summary: &TableSummary,
        trial: &Trial,
        answer: &Answer,
        ruling: &Result<Ruling, Refusal>,
    ) -> Result<f64> {
        let idle = Trial {
            statement: Statement::Gradients(Stage::Pay),
            shown: Some(Shown::Roots(Vec::new())),
        };
        let arguments = (facts, summary, trial, answer).encode();
        let refused = (facts, summary, &idle, Answer::Roots(Vec::new())).encode();
        let mut seconds = [const { Vec::new() }; 2];
        for _ in 0..REPEATS {
            seconds[0].push(self.call(&arguments, ruling)?);
            seconds[1].push(self.call(&refused, &Err(Refusal::NotYourTurn))?);
        }
        let [all, idle] = seconds.map(median);
        Ok((all - idle).max(0.0) * 1e3)
    }

    /// Seconds that one call in a fresh instance takes.
    fn call(&self, arguments: &[u8], expected: &Result<Ruling, Refusal>) -> Result<f64> {
        let code = RuntimeCode {
            code_fetcher: &self.code,
            heap_pages: None,
            hash: vec![1],
        };
        let mut state = sp_io::TestExternalities::default();
        let input = (self.view_function, arguments).encode();
        let start = Instant::now();
        let (output, _) = self.executor.call(
            &mut state.ext(),
            &code,
            "RuntimeViewFunction_execute_view_function",
            &input,
            CallContext::Offchain,
        );
        let seconds = start.elapsed().as_secs_f64();
        let output = output.map_err(|error| anyhow::anyhow!("the runtime: {error}"))?;
        let ruling = Result::<Vec<u8>, ViewFunctionDispatchError>::decode(&mut &*output)?
            .map_err(|error| anyhow::anyhow!("the view function: {error:?}"))?;
        let ruling = Result::<Ruling, Refusal>::decode(&mut &*ruling)?;
        ensure!(ruling == *expected, "{ruling:?} instead of {expected:?}");
        Ok(seconds)
    }
}
