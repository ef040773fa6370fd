//! What an attester offers, as `gotong doctor` and the commands about stake show it.

use gotong_protocol::{bounds, view::OfferView};
use serde_json::{json, Value};

/// A number of products per block, as a speed that `gotong attest --speed` takes.
fn speed(products: u64) -> f64 {
    products as f64 / bounds::COST_PER_BLOCK as f64
}

/// For people: what is offered and held, and what to do.
pub fn describe(offer: Option<&OfferView>) -> String {
    let Some(offer) = offer else {
        return "no seats are offered or held, so you are not drawn; `gotong attest` offers seats"
            .to_owned();
    };
    let held = offer.seats_held;
    if offer.seats == 0 {
        return format!(
            "suspended: you took the offer back or missed a seat, so you are not drawn. Seats that you still hold: {held}. Keep \
             `gotong attest` running to offer seats again, or run `gotong attest --seats 0`, which ends once you hold none"
        );
    }
    format!(
        "{} seats for {}; {held} held; {:.2} of a speed of {:.2} used. Keep `gotong attest` running: it does the work of the seats",
        offer.seats,
        tasks(offer),
        speed(offer.load_held),
        speed(offer.capacity),
    )
}

/// The offer, for programs.
pub fn json(offer: Option<&OfferView>) -> Value {
    offer.map_or(Value::Null, |offer| {
        let tasks: Vec<u32> = offer.tasks.iter().map(|task| task.0).collect();
        json!({
            "seats": offer.seats,
            "held": offer.seats_held,
            "capacity": offer.capacity,
            "load": offer.load_held,
            "sealed": offer.sealed,
            "tasks": tasks,
            "suspended": offer.seats == 0,
        })
    })
}

fn tasks(offer: &OfferView) -> String {
    let named: Vec<_> = offer.tasks.iter().map(ToString::to_string).collect();
    let named = match &named[..] {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => named.join(", "),
    };
    match (offer.sealed, offer.tasks.is_empty()) {
        (true, true) => "every task with sealed samples".to_owned(),
        (true, false) => format!("every task with sealed samples, and tasks {named}"),
        (false, _) => format!("tasks {named}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::TaskId;

    fn offer(seats: u8) -> OfferView {
        OfferView {
            seats,
            capacity: 2 * bounds::COST_PER_BLOCK,
            sealed: false,
            tasks: vec![TaskId(0), TaskId(3)],
            seats_held: 1,
            load_held: bounds::COST_PER_BLOCK / 2,
        }
    }

    #[test]
    fn an_offer_is_told_with_what_to_do() {
        let told = describe(Some(&offer(16)));
        let expected = "16 seats for tasks 0 and 3; 1 held; 0.50 of a speed of 2.00 used. ";
        assert!(told.starts_with(expected), "{told}");
        let sealed = OfferView {
            sealed: true,
            ..offer(16)
        };
        let told = describe(Some(&sealed));
        let of = "16 seats for every task with sealed samples, and tasks 0 and 3; ";
        assert!(told.starts_with(of), "{told}");
        let told = describe(Some(&offer(0)));
        assert!(
            told.starts_with("suspended: ") && told.contains("you still hold: 1."),
            "{told}"
        );
        assert!(describe(None).contains("`gotong attest`"));
    }

    #[test]
    fn an_offer_is_told_to_programs() {
        let expected = json!({
            "seats": 16,
            "held": 1,
            "capacity": 2 * bounds::COST_PER_BLOCK,
            "load": bounds::COST_PER_BLOCK / 2,
            "sealed": false,
            "tasks": [0, 3],
            "suspended": false,
        });
        assert_eq!(json(Some(&offer(16))), expected);
        assert_eq!(json(Some(&offer(0)))["suspended"], true);
        assert_eq!(json(None), Value::Null);
    }
}
