"""What a script does with aio-substrate-interface:

    python aio_substrate_interface_client.py URL SURI

Registers as a contributor with 100 GTG, and tells what the chain says of it, by runtime APIs too. The last line of its output is
JSON; amounts are in planck, as text.
"""

import asyncio
import json
import sys

from async_substrate_interface import AsyncSubstrateInterface
from bittensor_wallet import Keypair


def plain(value):
    """A decoded value, which some versions wrap."""
    return getattr(value, "value", value)


async def main(url: str, suri: str) -> dict:
    account = Keypair.create_from_uri(suri)
    async with AsyncSubstrateInterface(url) as chain:
        roles = {"contributor": True, "attester": False}
        call = await chain.compose_call("Contribution", "register", {"roles": roles, "stake": 100 * 10**12})
        extrinsic = await chain.create_signed_extrinsic(call, account)
        receipt = await chain.submit_extrinsic(extrinsic, wait_for_inclusion=True)
        if not await receipt.is_success:
            raise RuntimeError(f"register failed: {await receipt.error_message}")

        async def ask(method: str, *arguments, api: str = "ContributionApi"):
            return plain(await chain.runtime_call(api, method, list(arguments)))

        address = account.ss58_address
        stake = await ask("stake", address)
        task = await ask("task", 0)
        round_ = await ask("round", 0, task["round"])
        duties = await ask("duties", address, 0)
        tasks = await ask("tasks", 0)
        rewards = await ask("rewards", address, (0, 0))
        disputes = await ask("disputes", None, 0, api="RefereeApi")
        stored = plain(await chain.query("Contribution", "Tasks", [0]))
        return {
            "stake": str(stake["stake"]),
            "name": task["terms"]["name"],
            "stored_name": stored["terms"]["name"],
            "phase": str(round_["phase"]),
            "duties": [str(duty["what"]) for duty in duties["items"]],
            "tasks": tasks["items"],
            "rewards": len(rewards["items"]),
            "disputes": len(disputes["items"]),
            "block_millis": plain(await chain.get_constant("Babe", "ExpectedBlockTime")),
            "move_blocks": plain(await chain.get_constant("Referee", "MoveBlocks")),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
