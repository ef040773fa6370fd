//! When a sponsor publishes a shard.

use codec::{Decode, Encode};
use gotong_protocol::{Phase, RoundId};

/// A sponsor's part in its task: it publishes the round's shard once there are commitments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Sponsor {
    /// The round and the block of the last shard that was published.
    published: Option<(RoundId, u32)>,
}

/// What the chain says, as far as a sponsor cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SponsorSnapshot {
    /// The block at which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    /// The phase of that round.
    pub phase: Phase,
    /// Whether the shard may be published: see [`gotong_protocol::shard_is_due`].
    pub is_due: bool,
    /// Whether the round's shard is on the chain.
    pub published: bool,
    /// The next shard to publish.
    pub next_shard: u32,
}

/// What a sponsor wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SponsorCommand {
    /// Publish the shard `index` for the round.
    Publish {
        /// The round.
        round: RoundId,
        /// Which of the shards, counted from 0.
        index: u32,
    },
}

impl Sponsor {
    /// What to do now. `None` means to wait.
    pub fn on_block(&self, now: &SponsorSnapshot) -> Option<SponsorCommand> {
        let due = now.phase == Phase::Reveal && now.is_due && !now.published;
        // The snapshot may be older than the last shard that was published.
        let is_news = self
            .published
            .is_none_or(|(round, block)| round < now.round || now.block > block);
        (due && is_news).then_some(SponsorCommand::Publish {
            round: now.round,
            index: now.next_shard,
        })
    }

    /// Block `block` took the shard of `round`.
    pub fn on_published(&mut self, round: RoundId, block: u32) {
        self.published = Some((round, block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_once_after_commit_closed() {
        let mut engine = Sponsor::default();
        let mut now = SponsorSnapshot {
            block: 1,
            round: RoundId(2),
            phase: Phase::Commit,
            is_due: false,
            published: false,
            next_shard: 5,
        };
        assert_eq!(engine.on_block(&now), None);
        now.phase = Phase::Reveal;
        assert_eq!(engine.on_block(&now), None);
        now.is_due = true;
        let publish = Some(SponsorCommand::Publish {
            round: RoundId(2),
            index: 5,
        });
        assert_eq!(engine.on_block(&now), publish);
        assert_eq!(engine.on_block(&now), publish);
        engine.on_published(RoundId(2), 4);
        assert_eq!(engine.on_block(&now), None);
        // A fork undid it.
        now.block = 5;
        assert_eq!(engine.on_block(&now), publish);
        now.published = true;
        assert_eq!(engine.on_block(&now), None);
        assert_eq!(engine.encode(), [1, 2, 0, 0, 0, 4, 0, 0, 0]);
    }
}
