// What an author of pages tries out on a fork of the chain, with Chopsticks: a copy that runs the chain's own code in this process,
// asks a node for the state that it reads, and tells the node nothing.
//
//   node chopsticks.mjs URL BLOCK SURI RECEIVER
//
// Forks at the block of this hash, makes one more with a transfer of 1 GTG from one account to the other, and tells what the fork
// says of the receiver and of task 0. The last line of its output is JSON; amounts are in planck, as text.

import { ApiPromise, Keyring } from '@polkadot/api';

// It logs to the standard output, from another thread: maybe after our last line.
process.env.LOG_LEVEL ??= 'fatal';
const { BuildBlockMode, ChopsticksProvider, setup } = await import('@acala-network/chopsticks-core');

const [endpoint, block, suri, to] = process.argv.slice(2);
const fork = await setup({ endpoint, block, buildBlockMode: BuildBlockMode.Manual });
const forked = fork.head.number;
const api = await ApiPromise.create({ provider: new ChopsticksProvider(fork), noInitWarn: true });
const keys = new Keyring({ type: 'sr25519' });
const receiver = keys.addFromUri(to).address;

const transfer = await api.tx.balances.transferKeepAlive(receiver, 10n ** 12n).signAsync(keys.addFromUri(suri));
const { hash, number, extrinsics } = await fork.newBlock({ transactions: [transfer.toHex()] });
if (number === forked) throw new Error('the fork made no block: LOG_LEVEL=error says why');
const at = await api.at(hash);
const task = (await at.call.contributionApi.task(0)).unwrap();
console.log(
  JSON.stringify({
    blocks: number - forked,
    is_included: (await extrinsics).includes(transfer.toHex()),
    received: (await at.query.system.account(receiver)).data.free.toString(),
    name: task.terms.name.toString(),
  }),
);
await fork.close();
process.exit(0);
