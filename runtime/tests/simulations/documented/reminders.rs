use std::time::Duration;

use anchorhold::Faults;
use anchorhold::check::Deliveries;
use anchorhold::prelude::*;

#[durable_object]
struct Reminders {
    sent: Vec<String>,
}

#[durable_object]
impl Reminders {
    #[rpc]
    fn remind(&mut self, ctx: &Ctx, text: String) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .deliver(text.clone())
            .key(text)
            .after(Duration::from_secs(60))
    }

    #[alarm]
    fn deliver(&mut self, text: String) {
        self.sent.push(text);
    }

    #[rpc]
    fn sent(&self) -> Vec<String> {
        self.sent.clone()
    }
}

#[anchorhold::test]
async fn reminder_is_sent_after_a_minute(sim: Sim) {
    let reminders = sim.objects::<Reminders>().named("ann");
    reminders.remind("tea".to_owned()).await.unwrap();
    assert!(reminders.sent().await.unwrap().is_empty());
    sim.advance(Duration::from_secs(60)).await;
    assert_eq!(reminders.sent().await.unwrap(), ["tea"]);
}

#[anchorhold::test]
async fn reminder_survives_a_crash(sim: Sim) {
    let reminders = sim.objects::<Reminders>().named("ann");
    reminders.remind("tea".to_owned()).await.unwrap();
    sim.crash().await;
    sim.advance(Duration::from_secs(60)).await;
    assert_eq!(reminders.sent().await.unwrap(), ["tea"]);
}

#[anchorhold::test(seeds = 100, faults = Faults::all())]
async fn every_acknowledged_reminder_is_sent(sim: Sim) {
    let reminders = sim.objects::<Reminders>().named("ann");
    let deliveries = Deliveries::at_least_once();
    for number in 0..10 {
        let text = format!("tea {number}");
        // A call may fail. Only an acknowledged one promises something.
        let call = reminders.remind(text.clone());
        let _ = deliveries.call(text, call).await;
        sim.env().sleep(Duration::from_secs(5)).await;
    }
    sim.heal().await;
    // The clock may have been set back, by up to an hour.
    sim.advance(Duration::from_secs(2 * 60 * 60)).await;
    let sent = reminders.sent().await.unwrap();
    deliveries.check(sent).unwrap();
}
