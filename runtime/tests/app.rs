//! An app that is put together wrongly says so at the start.

use anchorhold::prelude::*;

/// Something to mount.
#[durable_object]
struct Thing {}

#[durable_object]
impl Thing {
    #[get("/")]
    fn answer(&self) -> u64 {
        42
    }
}

#[anchorhold::test]
#[should_panic(expected = "every path of it leads to Thing already, by \"/things/{name}\"")]
async fn one_path_leads_to_one_mount(sim: Sim) {
    sim.app(
        App::new()
            .mount::<Thing>("/things/{name}")
            .mount::<Thing>("/things/{id}"),
    );
}

#[anchorhold::test]
#[should_panic(expected = "two handlers answer GET \"/greet/{who}\"")]
async fn one_path_has_one_handler(sim: Sim) {
    sim.app(
        App::new()
            .get("/greet/{name}", async |_, _| Ok(Response::empty(204)))
            .post("/greet/{name}", async |_, _| Ok(Response::empty(204)))
            .get("/greet/{who}", async |_, _| Ok(Response::empty(204))),
    );
}
