//! The notebook in the simulator.

use anchorhold::prelude::*;
use starter::{Notebook, app};

#[anchorhold::test]
async fn notes_survive_eviction_and_crash(sim: Sim) {
    let notebook = sim.objects::<Notebook>().named("kitchen");
    assert_eq!(notebook.write("buy tea".to_owned()).await.unwrap(), 1);
    sim.evict(&notebook).await;
    assert_eq!(notebook.write("buy milk".to_owned()).await.unwrap(), 2);
    sim.crash().await;
    let notes = notebook.newest(None).await.unwrap();
    let texts: Vec<_> = notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["buy tea", "buy milk"]);
}

#[anchorhold::test]
async fn routes_lead_to_the_same_notebook(sim: Sim) {
    sim.app(app());
    let path = "/notebooks/kitchen/notes";
    let written = Request::new("POST", path).with_body(r#"{"text": "buy tea"}"#);
    assert_eq!(sim.fetch(written).await.status(), 201);
    let empty = Request::new("POST", path).with_body(r#"{"text": ""}"#);
    assert_eq!(sim.fetch(empty).await.status(), 400);

    let notebook = sim.objects::<Notebook>().named("kitchen");
    assert_eq!(notebook.newest(Some(5)).await.unwrap().len(), 1);
    let read = sim
        .fetch(Request::new("GET", "/notebooks/kitchen/notes?limit=5"))
        .await;
    let notes: Vec<starter::Note> = read.read_json().unwrap();
    assert_eq!(notes[0].text, "buy tea");
    let health = sim.fetch(Request::new("GET", "/healthz")).await;
    assert_eq!(health.status(), 200);
}
