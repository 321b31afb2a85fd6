//! Requests to the outside world.

use anchorhold::prelude::*;

#[durable_object]
struct Notifier {
    sent: u32,
}

#[durable_object]
impl Notifier {
    #[rpc]
    async fn notify(&mut self, ctx: &Ctx, to: String) -> Result<u16, Error> {
        self.sent += 1;
        ctx.storage().put("told", &true)?;
        let answer = ctx.fetch(Request::new("POST", &to).with_json(&self.sent)?);
        Ok(answer.await?.status())
    }
}

#[anchorhold::test]
async fn a_test_answers_for_the_outside_world(sim: Sim) {
    let notifier = sim.objects::<Notifier>().named("a");
    let refused = notifier
        .notify("https://example.com/hook".to_owned())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("sim.answer_outgoing"),
        "{refused}"
    );

    sim.answer_outgoing(async |mut request| {
        let body: u32 = request.json().await.unwrap();
        assert_eq!(request.path(), "/hook");
        Response::empty(u16::try_from(200 + body).unwrap())
    });
    let status = notifier.notify("https://example.com/hook?key=1".to_owned());
    // The failed turn was taken back, so this is the first that counts.
    assert_eq!(status.await.unwrap(), 201);
}

#[anchorhold::test]
async fn an_address_that_leads_nowhere_is_refused(sim: Sim) {
    sim.answer_outgoing(async |_| Response::empty(200));
    let notifier = sim.objects::<Notifier>().named("a");
    for address in ["/hook", "example.com", "file:///etc/hosts", "http://"] {
        let refused = notifier.notify(address.to_owned()).await.unwrap_err();
        assert!(refused.to_string().contains(address), "{refused}");
    }
}
