//! `gotong prove`: writes evidence about one step of a table, and checks it.

use super::{disputes, progress::spinner, replay::replay_report, scoring::ScoringArgs, Globals};
use crate::{
    chain::{Account, Moment},
    keys::address,
    run::{dispute_evidence, Recomputed},
};
use anyhow::{bail, Context};
use gotong_evaluation::{describe_step, Evidence, Finding, StepName};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    view::RoundView,
    RoundFacts, RoundId, TaskId,
};
use gotong_scoring::{trial::Side, HoldOut};
use serde_json::{json, Value};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_help = "Examples:\n  gotong prove --task 0 --round 3 --sample 17 --out sample.evidence\n  \
                  gotong prove --task 0 --round 3 --step word:merged:sample=17:op=0:at=5 --out word.evidence\n  \
                  gotong prove --dispute 4 --out dispute.evidence\n  \
                  gotong prove --check dispute.evidence\n  \
                  gotong prove --check dispute.evidence --chain\n\n\
                  Checking a file needs no model, no data and, without --chain, no node. The result then holds for the roots \
                  that are printed: make sure that they are the chain's."
)]
pub struct Prove {
    /// The task
    #[arg(long, requires = "round", required_unless_present_any = ["check", "dispute"])]
    task: Option<u32>,
    /// The round, which is recomputed from the chain
    #[arg(long, requires = "task", required_unless_present_any = ["check", "dispute"])]
    round: Option<u32>,
    /// A step of the round's table: row:pass=0:entrant=2, part:pay:entrant=2:group=3,
    /// product:pay:entrant=2:group=3:tile=0, gradient:pass=0:group=3:position=5,
    /// contribution:pass=0:group=3:position=5:sample=9, weight:merged:position=5,
    /// term:midpoint=0:position=5:entrant=2, losses:a, sample:base:sample=3 or
    /// word:merged:sample=3:op=2:at=7
    #[arg(long, group = "what", requires = "task")]
    step: Option<StepName>,
    /// The loss of this sample with the merged weights
    #[arg(long, group = "what", requires = "task")]
    sample: Option<u32>,
    /// The step that decided this dispute, as its parties showed it
    #[arg(long, group = "what", value_name = "ID", conflicts_with_all = ["task", "round"])]
    dispute: Option<u32>,
    /// Check the evidence in a file
    #[arg(
        long, group = "what", value_name = "FILE", conflicts_with_all = ["task", "round", "out"]
    )]
    check: Option<PathBuf>,
    /// Compare the evidence with the chain
    #[arg(long)]
    chain: bool,
    /// The file to write
    #[arg(long, value_name = "FILE", required_unless_present = "check")]
    out: Option<PathBuf>,
    #[command(flatten)]
    scoring: ScoringArgs,
}

pub async fn run(args: Prove, globals: &Globals) -> anyhow::Result<()> {
    let evidence = match &args.check {
        Some(file) => {
            let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
            Evidence::from_bytes(&bytes).with_context(|| file.display().to_string())?
        }
        None => make(&args, globals).await?,
    };
    let finding = evidence.check().context("the evidence proves nothing")?;
    if let Some(file) = &args.out {
        std::fs::write(file, evidence.to_bytes()).with_context(|| file.display().to_string())?;
    }
    let on_chain = match args.chain {
        true => Some(OnChain::of(&globals.client().await?.best().await?, &evidence).await?),
        false => None,
    };
    let report = Report {
        evidence: &evidence,
        finding,
        on_chain,
    };
    globals.output.print(report.json(), || report.text());
    match report
        .on_chain
        .and_then(|found| found.contradiction(&evidence, finding))
    {
        None => Ok(()),
        Some(wrong) => bail!("{wrong}"),
    }
}

async fn make(args: &Prove, globals: &Globals) -> anyhow::Result<Evidence> {
    let client = globals.client().await?;
    let now = client.best().await?;
    if let Some(id) = args.dispute {
        let _shown = spinner(globals.output, "fetching what the dispute's parties showed");
        let closed = verdict(&now, DisputeId(id)).await?;
        let closed = closed.with_context(|| {
            format!("dispute {id} is not among the last verdicts: see `gotong disputes`")
        })?;
        return Ok(dispute_evidence(&client, &now, &closed).await?);
    }
    let sample = args.sample.map(|sample| StepName::Sample {
        of: Side::Merged,
        sample,
    });
    let step = args.step.or(sample).context("no step")?;
    let (task, round) = args.task.zip(args.round).context("no round")?;
    let (task, round) = (TaskId(task), RoundId(round));
    let scoring = args.scoring.options(globals.folder()?).await?;
    let view = now.existing_task(task).await?;
    let report = replay_report(globals.output, &view, round);
    let pools = globals.dirs()?.pools;
    let mut recomputed =
        Recomputed::open(&client, &now, &pools, &view, round, scoring, report).await?;
    let _shown = spinner(globals.output, format!("computing round {round}"));
    let player = recomputed.player(&client, &now).await?;
    let walk = move || {
        player.with(|player, evaluator| Evidence::walk((task, round), player, evaluator, step))
    };
    Ok(tokio::task::spawn_blocking(walk).await??)
}

async fn verdict(now: &Moment, id: DisputeId) -> anyhow::Result<Option<ClosedDispute>> {
    let closed = now.verdicts().await?;
    Ok(closed.into_iter().find(|closed| closed.id == id))
}

/// What the chain says about the subject of the evidence.
struct OnChain {
    facts: Option<RoundFacts>,
    /// The accounts that attested the table, and whether they still stand for it.
    attesters: Vec<(Account, String)>,
    /// Whether the round settled on the table.
    is_settled: bool,
    /// The dispute that the evidence is from, if the chain still has it.
    verdict: Option<ClosedDispute>,
}

impl OnChain {
    async fn of(now: &Moment, evidence: &Evidence) -> anyhow::Result<Self> {
        let (task, round) = (evidence.task, evidence.round);
        let verdict = match evidence.dispute {
            Some(id) => verdict(now, id).await?,
            None => None,
        };
        let facts = now.facts(task, round).await?;
        let round = now.round(task, round).await?;
        let root = evidence.table_root();
        Ok(Self {
            facts,
            attesters: round
                .as_ref()
                .map_or(Vec::new(), |round| standing(round, &root)),
            is_settled: round
                .and_then(|round| round.claim)
                .is_some_and(|claim| claim.table_root == root),
            verdict,
        })
    }

    /// Why the evidence is not about this chain.
    fn contradiction(&self, evidence: &Evidence, finding: Finding) -> Option<String> {
        let (task, round) = (evidence.task, evidence.round);
        let Some(facts) = &self.facts else {
            return Some(format!(
                "the chain knows no samples of task {task}, round {round}"
            ));
        };
        if *facts != evidence.facts {
            return Some(format!(
                "the chain has other roots for task {task}, round {round}"
            ));
        }
        if self.attesters.is_empty() && !self.is_settled {
            let root = hex::encode(evidence.table_root());
            return Some(format!("nobody stands for the table {root} on the chain"));
        }
        let verdict = self.verdict.as_ref()?;
        let is_it = match (finding, verdict.verdict) {
            (Finding::Wrong(step), Verdict::Refuted(refuted)) => step == refuted,
            (Finding::Right, Verdict::Upheld) => true,
            _ => false,
        };
        let is_of_the_round = (verdict.task, verdict.round) == (task, round);
        let is_of_the_table = self
            .attesters
            .iter()
            .any(|(who, _)| *who == verdict.accused);
        (!is_it || !is_of_the_round || !is_of_the_table)
            .then(|| format!("on the chain, dispute {} ended differently", verdict.id))
    }
}

fn standing(round: &RoundView, table_root: &[u8; 32]) -> Vec<(Account, String)> {
    let seats = round.seats.iter().filter(|seat| {
        let claim = seat.claim.as_ref();
        claim.is_some_and(|claim| claim.table_root == *table_root)
    });
    seats
        .map(|seat| (seat.account, format!("{:?}", seat.state)))
        .collect()
}

struct Report<'a> {
    evidence: &'a Evidence,
    finding: Finding,
    on_chain: Option<OnChain>,
}

impl Report<'_> {
    fn step(&self) -> StepName {
        StepName::of(&self.evidence.statement)
    }

    /// What was found about the step.
    fn found(&self) -> String {
        let step = self.step().in_words();
        match &self.finding {
            Finding::Right => format!("RIGHT: {step} follows from its inputs"),
            Finding::RightIfParts => format!(
                "RIGHT IF ITS PARTS ARE RIGHT: {step} follows from the parts shown. Each part can be checked in the same way"
            ),
            Finding::Wrong(step) => format!("WRONG: {}", describe_step(step)),
        }
    }

    /// What follows from it, and what does not.
    fn proves(&self) -> String {
        match (&self.finding, self.evidence.dispute) {
            (Finding::Wrong(_), _) if self.evidence.is_bound() => {
                "The table's root commits to the wrong value, so everybody who stands for the table is wrong.".into()
            }
            (Finding::Wrong(_), Some(dispute)) => format!(
                "The table's root does not commit to the wrong value: only whoever showed it in dispute {dispute}, which the \
                 chain records, is wrong."
            ),
            (Finding::Wrong(_), None) => "The table's root does not commit to the wrong value: whoever made this file is \
                                          wrong, and perhaps nobody else."
                .into(),
            _ => "It says nothing about other steps of the table.".into(),
        }
    }

    fn roots(&self) -> [(&'static str, String); 5] {
        let facts = &self.evidence.facts;
        [
            ("table", hex::encode(self.evidence.table_root())),
            ("weights before", hex::encode(facts.base_root)),
            ("samples", hex::encode(facts.hold_out.root())),
            ("deltas", hex::encode(facts.entrants_root)),
            (
                "terms, model",
                hex::encode(gotong_scoring::blake2_256(&[&codec::Encode::encode(&(
                    &facts.terms,
                    &facts.graph,
                ))])),
            ),
        ]
    }

    fn json(&self) -> Value {
        let (finding, wrong) = match &self.finding {
            Finding::Right => ("right", None),
            Finding::RightIfParts => ("right_if_parts", None),
            Finding::Wrong(step) => ("wrong", Some(describe_step(step))),
        };
        let roots = self.roots();
        let on_chain = self.on_chain.as_ref().map(|found| {
            let attesters = found.attesters.iter();
            let attesters = attesters
                .map(|(who, state)| json!({ "account": address(who), "state": state }))
                .collect::<Vec<_>>();
            json!({
                "equal": found.contradiction(self.evidence, self.finding).is_none(),
                "attesters": attesters,
                "settled": found.is_settled,
                "verdict_known": found.verdict.is_some(),
            })
        });
        json!({
            "task": self.evidence.task.0,
            "round": self.evidence.round.0,
            "dispute": self.evidence.dispute.map(|dispute| dispute.0),
            "step": self.step().to_string(),
            "words": self.step().in_words(),
            "finding": finding,
            "wrong": wrong,
            "bound": self.evidence.is_bound(),
            "bytes": self.evidence.to_bytes().len(),
            "table_root": roots[0].1,
            "base_root": roots[1].1,
            "samples_root": roots[2].1,
            "hold_out": match &self.evidence.facts.hold_out {
                HoldOut::Sealed { .. } => "sealed",
                HoldOut::Drawn { .. } => "drawn",
            },
            "entrants_root": roots[3].1,
            "terms_hash": roots[4].1,
            "chain": on_chain,
        })
    }

    fn text(&self) -> String {
        let (task, round) = (self.evidence.task, self.evidence.round);
        let mut text = format!("{}\n{}\n", self.found(), self.proves());
        let Some(found) = &self.on_chain else {
            text += &format!(
                "The evidence is about task {task}, round {round} if the chain has these roots there (--chain compares them):\n"
            );
            for (what, root) in self.roots() {
                text += &format!("  {what:15}{root}\n");
            }
            return text;
        };
        match found.contradiction(self.evidence, self.finding) {
            Some(wrong) => text += &format!("NOT OF THIS CHAIN: {wrong}\n"),
            None => text += &format!("The chain has these roots in task {task}, round {round}.\n"),
        }
        for (who, state) in &found.attesters {
            text += &format!("  {} stands for the table: {state}\n", address(who));
        }
        if found.is_settled {
            text += "  the round settled on the table\n";
        }
        match (self.evidence.dispute, &found.verdict) {
            (Some(_), Some(verdict)) => {
                text += &format!("  {}\n", disputes::closed_line(verdict));
            }
            (Some(dispute), None) => {
                text += &format!("  the chain no longer keeps the verdict of dispute {dispute}\n");
            }
            _ => {}
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::views, test_lab::Lab};
    use gotong_evaluation::LieKind;
    use gotong_protocol::SeatState;
    use gotong_scoring::Reference;

    fn report(evidence: &Evidence) -> Report<'_> {
        Report {
            finding: evidence.check().unwrap(),
            evidence,
            on_chain: None,
        }
    }

    fn evidence(lie: Option<LieKind>, step: &str) -> Evidence {
        let lab = Lab::small();
        let mut player = lie.map_or_else(|| lab.honest(), |lie| lab.liar(lie));
        let of = (TaskId(1), RoundId(2));
        Evidence::walk(of, &mut player, &mut Reference, step.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_report_says_what_is_proved_and_what_is_to_be_compared() {
        let right = evidence(None, "word:base:sample=4:op=0:at=2");
        let text = report(&right).text();
        assert!(
            text.starts_with("RIGHT: word 2 of op 0 on sample 4 by the base"),
            "{text}"
        );
        assert!(text.contains("nothing about other steps"));
        for root in [
            right.table_root(),
            right.facts.base_root,
            *right.facts.hold_out.root(),
        ] {
            assert!(text.contains(&hex::encode(root)));
        }
        let json = report(&right).json();
        assert_eq!(
            (&json["finding"], &json["wrong"]),
            (&"right".into(), &Value::Null)
        );
        assert_eq!(json["step"], "word:base:sample=4:op=0:at=2");

        let wrong = evidence(Some(LieKind::Error), "losses:b");
        assert!(report(&wrong)
            .text()
            .contains("everybody who stands for the table"));
        assert_eq!(report(&wrong).json()["bound"], true);
        let last = wrong.facts.graph.ops.len() - 1;
        let sample = lied_sample(LieKind::Loss);
        let step = format!("word:merged:sample={sample}:op={last}:at=0");
        let mut wrong = evidence(Some(LieKind::Loss), &step);
        assert!(report(&wrong).text().contains("perhaps nobody else"));
        wrong.dispute = Some(DisputeId(4));
        assert!(report(&wrong)
            .text()
            .contains("whoever showed it in dispute 4"));
        assert_eq!(report(&wrong).json()["finding"], "wrong");
    }

    /// The sample that a lie is about.
    fn lied_sample(kind: LieKind) -> u32 {
        let lab = Lab::small();
        let lied = kind.player(&lab.honest(), lab.samples.records(), &mut Reference);
        let (_, lie) = lied.unwrap();
        let gotong_scoring::share::trial::Lie::Word { sample, .. } = lie else {
            panic!("{lie:?}");
        };
        sample
    }

    fn on_chain(evidence: &Evidence) -> OnChain {
        OnChain {
            facts: Some(evidence.facts.clone()),
            attesters: vec![([1; 32], "Convicted".into())],
            is_settled: false,
            verdict: None,
        }
    }

    #[test]
    fn evidence_of_another_chain_is_told() {
        let mut proof = evidence(Some(LieKind::Error), "losses:b");
        let finding = proof.check().unwrap();
        let wrong = |found: &OnChain, proof: &Evidence| found.contradiction(proof, finding);
        assert_eq!(wrong(&on_chain(&proof), &proof), None);
        let unknown = OnChain {
            facts: None,
            ..on_chain(&proof)
        };
        assert!(wrong(&unknown, &proof).unwrap().contains("no samples"));
        let mut other = on_chain(&proof);
        other.facts.as_mut().unwrap().entrants += 1;
        assert!(wrong(&other, &proof).unwrap().contains("other roots"));
        let nobody = OnChain {
            attesters: Vec::new(),
            ..on_chain(&proof)
        };
        assert!(wrong(&nobody, &proof).unwrap().contains("nobody stands"));
        let settled = OnChain {
            is_settled: true,
            attesters: Vec::new(),
            ..on_chain(&proof)
        };
        assert_eq!(wrong(&settled, &proof), None);

        let Finding::Wrong(step) = finding else {
            panic!("{finding:?}");
        };
        proof.dispute = Some(DisputeId(3));
        let ended = |verdict: Verdict, accused: u8| OnChain {
            verdict: Some(ClosedDispute {
                id: DisputeId(3),
                task: proof.task,
                round: proof.round,
                accused: [accused; 32],
                challenger: [9; 32],
                verdict,
                reward: 0,
                opened_at: 1,
                ended_at: 2,
                answers: 1,
                picks: 0,
                bytes: 1,
            }),
            ..on_chain(&proof)
        };
        assert_eq!(wrong(&ended(Verdict::Refuted(step), 1), &proof), None);
        assert!(wrong(&ended(Verdict::Refuted(step), 2), &proof).is_some());
        assert!(wrong(&ended(Verdict::Upheld, 1), &proof).is_some());
    }

    #[test]
    fn who_stands_for_a_table_is_read_from_the_seats() {
        let table = Lab::small().summary();
        let mut other = table.clone();
        other.merge = None;
        let convicted = SeatState::Convicted;
        let mut round = RoundView {
            seats: vec![
                views::seat(1, convicted, Some(other)),
                views::seat(2, convicted, Some(table.clone())),
                views::seat(3, convicted, None),
            ],
            ..views::round()
        };
        let expected = vec![([2; 32], "Convicted".to_owned())];
        assert_eq!(standing(&round, &table.root()), expected);
        // The chain keeps the claims only once the round is over.
        round.seats.iter_mut().for_each(|seat| seat.table = None);
        assert_eq!(standing(&round, &table.root()), expected);
    }
}
