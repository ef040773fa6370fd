// What a wallet or a page does with polkadot-js, @polkadot/api.
//
//   node polkadot-js.mjs register URL SURI        registers as a contributor with 100 GTG, and tells what the chain says of it
//   node polkadot-js.mjs sign-offline URL SURI    adds to the stake as a hardware wallet signs, and tells what is refused, and why
//   node polkadot-js.mjs claim URL SURI           waits until the chain knows what the account may claim, and claims it
//   node polkadot-js.mjs owed URL SURI            tells what the account may claim, and what it got for each round
//
// The last line of its output is JSON; amounts are in planck, as text.

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import { merkleizeMetadata } from '@polkadot-api/merkleize-metadata';

const [command, url, suri] = process.argv.slice(2);
const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
const account = new Keyring({ type: 'sr25519' }).addFromUri(suri);

/** Resolves once the transaction is in a block; rejects if it is invalid, or its call failed. */
function submit(call, options = {}) {
  return new Promise((resolve, reject) => {
    const report = ({ dispatchError, events, isError, status }) => {
      if (dispatchError) reject(new Error(`the call failed: ${dispatchError}`));
      else if (isError) reject(new Error(`the transaction ended as ${status.type}`));
      else if (status.isInBlock) resolve(events);
    };
    call.signAndSend(account, options, report).catch(reject);
  });
}

const { contributionApi, refereeApi } = api.call;

/** Number of tasks in which the account has to claim something. */
async function claimDuties() {
  const duties = await contributionApi.duties(account.address, 0);
  return duties.items.filter((duty) => duty.what.isClaim).length;
}

const commands = {
  async register() {
    const roles = { contributor: true, attester: false };
    await submit(api.tx.contribution.register(roles, 100n * 10n ** 12n));
    const stake = (await contributionApi.stake(account.address)).unwrap();
    const task = (await contributionApi.task(0)).unwrap();
    const round = (await contributionApi.round(0, task.round)).unwrap();
    const duties = await contributionApi.duties(account.address, 0);
    const tasks = await contributionApi.tasks(0);
    const rewards = await contributionApi.rewards(account.address, [0, 0]);
    const disputes = await refereeApi.disputes(null, 0);
    const stored = (await api.query.contribution.tasks(0)).unwrap();
    return {
      stake: stake.stake.toString(),
      name: task.terms.name.toString(),
      stored_name: stored.terms.name.toString(),
      phase: round.phase.toString(),
      duties: duties.items.map((duty) => duty.what.toString()),
      tasks: tasks.items.map((id) => id.toNumber()),
      rewards: rewards.items.length,
      disputes: disputes.items.length,
      block_millis: api.consts.babe.expectedBlockTime.toNumber(),
      move_blocks: api.consts.referee.moveBlocks.toNumber(),
    };
  },

  async 'sign-offline'() {
    const answer = await api.rpc.state.call('Metadata_metadata_at_version', '0x0f000000');
    const metadata = api.createType('Option<Bytes>', answer.toU8a(true)).unwrap().toU8a(true);
    const decimals = api.registry.chainDecimals[0];
    const tokenSymbol = api.registry.chainTokens[0];
    const digest = merkleizeMetadata(metadata, { decimals, tokenSymbol }).digest();
    const hash = `0x${Buffer.from(digest).toString('hex')}`;
    await submit(api.tx.contribution.addStake(1n), { mode: 1, metadataHash: hash });
    // A wallet that was shown other metadata.
    const other = `0x${'11'.repeat(32)}`;
    const refused = submit(api.tx.contribution.addStake(1n), { mode: 1, metadataHash: other }).then(
      () => null,
      ({ code, data }) => ({ code, data }),
    );
    return { hash, refused: await refused };
  },

  async claim() {
    const free = async () => (await api.query.system.account(account.address)).data.free.toBigInt();
    for (;;) {
      const claimable = (await contributionApi.claimable(0, account.address)).unwrapOr(null);
      if (claimable && claimable.rounds.length > 0) {
        const pays = claimable.pays.toBigInt();
        const items = claimable.rounds.map((round) => ({ task: 0, round, proof: null }));
        const claims = await claimDuties();
        const before = await free();
        const events = await submit(api.tx.contribution.claim(items));
        const fees = events.filter(({ event }) => api.events.transactionPayment.TransactionFeePaid.is(event));
        const fee = fees.reduce((sum, { event }) => sum + event.data.actualFee.toBigInt(), 0n);
        const got = (await free()) - before + fee;
        return { rounds: items.length, claims, pays: pays.toString(), got: got.toString() };
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  },

  async owed() {
    const claimable = (await contributionApi.claimable(0, account.address)).unwrapOr(null);
    const rewards = await contributionApi.rewards(account.address, [0, 0]);
    return {
      claimable: claimable && claimable.pays.toString(),
      claims: await claimDuties(),
      rewards: rewards.items.map((reward) => reward.state.type),
    };
  },
};

console.log(JSON.stringify(await commands[command]()));
await api.disconnect();
