//! An object of your own: a struct whose fields are stored, and methods that are HTTP routes, remote
//! calls, or both.
//!
//! ```sh
//! cargo run -p examples --example own_object
//! curl -d '{"item": "bread"}' localhost:8787/lists/shopping/items
//! curl localhost:8787/lists/shopping
//! curl -X DELETE localhost:8787/lists/shopping/items/bread
//! ```
#![cfg_attr(target_arch = "wasm32", no_main)]

use anchorhold::prelude::*;

/// A list of things to get. There is one for each name, made when it is first used.
#[durable_object]
struct List {
    /// Durable, because nothing says otherwise.
    items: Vec<String>,
    /// Forgotten when the object leaves memory.
    #[memory]
    visits: u64,
}

/// A field is one stored value: lists that may grow belong into a `StoredMap` or a `StoredLog`.
const MOST_ITEMS: usize = 100;

#[durable_object]
impl List {
    /// `POST /lists/shopping/items` with `{"item": "bread"}`: arguments bind by name.
    #[rpc]
    #[post("/items", status = 201)]
    fn add(&mut self, item: String) -> Result<usize, Error> {
        if self.items.len() == MOST_ITEMS {
            let message = format!("a list has at most {MOST_ITEMS} items");
            return Err(Error::conflict("full", message));
        }
        self.items.push(item);
        Ok(self.items.len())
    }

    #[rpc]
    #[delete("/items/{item}")]
    fn got(&mut self, item: String) -> Result<(), Error> {
        match self.items.iter().position(|known| *known == item) {
            Some(position) => {
                self.items.remove(position);
                Ok(())
            }
            None => Err(Error::not_found(format!("`{item}` is not on the list"))),
        }
    }

    #[rpc]
    #[get("/")]
    fn items(&mut self) -> Vec<String> {
        self.visits += 1;
        self.items.clone()
    }

    /// Only a remote call; no path leads here.
    #[rpc]
    fn visits(&self) -> u64 {
        self.visits
    }
}

#[anchorhold::app]
fn app() -> App {
    App::new().mount::<List>("/lists/{name}")
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

#[anchorhold::test]
async fn a_list_is_the_same_by_path_and_by_call(sim: Sim) {
    sim.app(app());
    let request = Request::new("POST", "/lists/shopping/items").with_body(r#"{"item": "bread"}"#);
    assert_eq!(sim.fetch(request).await.status(), 201);

    let list = sim.objects::<List>().named("shopping");
    assert_eq!(list.add("milk".to_owned()).await.unwrap(), 2);
    list.got("bread".to_owned()).await.unwrap();
    assert!(list.got("bread".to_owned()).await.is_err());

    let response = sim.fetch(Request::new("GET", "/lists/shopping")).await;
    assert_eq!(response.read_json::<Vec<String>>().unwrap(), ["milk"]);
    let other = sim.objects::<List>().named("wishes");
    assert!(other.items().await.unwrap().is_empty());
}

#[anchorhold::test]
async fn durable_fields_stay_and_memory_goes(sim: Sim) {
    let list = sim.objects::<List>().named("shopping");
    list.add("bread".to_owned()).await.unwrap();
    list.items().await.unwrap();
    assert_eq!(list.visits().await.unwrap(), 1);
    sim.evict(&list).await;
    assert_eq!(list.visits().await.unwrap(), 0);
    assert_eq!(list.items().await.unwrap(), ["bread"]);
}
