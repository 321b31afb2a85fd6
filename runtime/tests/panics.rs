//! What a panic tells its caller, and those who share its commit.

use anchorhold::CallError;
use anchorhold::prelude::*;

#[durable_object]
struct Fragile {
    count: u32,
}

#[durable_object]
impl Fragile {
    #[rpc]
    fn panic_at_once(&self) {
        panic!("as told");
    }

    #[rpc]
    #[post("/panic")]
    fn panic_after_a_write(&mut self, ctx: &Ctx) -> Result<(), StorageError> {
        self.count += 1;
        ctx.storage().put("key", &1)?;
        panic!("as told");
    }
}

fn app() -> App {
    App::new().mount::<Fragile>("/fragile/{name}")
}

#[anchorhold::test]
async fn panic_has_one_answer_whether_or_not_its_turn_wrote(sim: Sim) {
    sim.app(app());
    let fragile = sim.objects::<Fragile>().named("a");
    let at_once = fragile.panic_at_once().await.unwrap_err();
    let after_a_write = fragile.panic_after_a_write().await.unwrap_err();
    assert_eq!(at_once.to_string(), after_a_write.to_string());
    assert!(matches!(at_once, CallError::Reset(_)), "{at_once}");

    let response = sim.fetch(Request::new("POST", "/fragile/a/panic")).await;
    assert_eq!(response.status(), 500);
    let body = String::from_utf8(response.body().unwrap().to_vec()).unwrap();
    assert!(body.contains(r#""code":"panicked""#), "{body}");
}
