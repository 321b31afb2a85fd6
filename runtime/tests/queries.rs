//! `#[query]`: an argument that the whole query string is decoded into.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Filter {
    page: u32,
    author: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Id(u64);

type Form = Filter;

#[durable_object]
struct Board {}

#[durable_object]
impl Board {
    #[rpc]
    #[get("/search/{kind}")]
    fn search(&self, kind: String, #[query] filter: Filter) -> (String, Filter) {
        (kind, filter)
    }

    #[get("/maybe")]
    fn maybe(&self, #[query] filter: Option<Form>) -> Option<Filter> {
        filter
    }

    #[post("/notes")]
    fn add(&self, text: String, #[query] filter: Filter) -> (String, Filter) {
        (text, filter)
    }

    #[put("/notes")]
    async fn replace(&self, #[query] filter: Filter, #[body] text: String) -> (String, Filter) {
        (text, filter)
    }

    #[websocket("/live")]
    fn join(&self, #[query] filter: Filter) -> Accept<Filter> {
        Accept::new(filter)
    }
}

fn filter(page: u32, author: Option<&str>) -> Filter {
    Filter {
        page,
        author: author.map(str::to_owned),
    }
}

async fn answer(sim: &Sim, request: Request) -> (u16, String) {
    sim.app(App::new().mount::<Board>("/boards/{name}"));
    let response = sim.fetch(request).await;
    let body = response.body().unwrap_or_default().to_vec();
    (response.status(), String::from_utf8(body).unwrap())
}

#[anchorhold::test]
async fn query_string_is_decoded_into_a_struct(sim: Sim) {
    let request = Request::new("GET", "/boards/a/search/new?author=ann%20b&page=2&page=3");
    let (status, body) = answer(&sim, request).await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"["new",{"page":2,"author":"ann b"}]"#)
    );
}

#[anchorhold::test]
async fn what_does_not_fit_is_400_and_names_the_field(sim: Sim) {
    for (query, message) in [
        ("", "invalid query string: missing field `page`"),
        (
            "page=x",
            "invalid `page`: `x` is not a whole number of 32 bits, zero or more",
        ),
        (
            "page=2&pgae=3",
            "invalid query string: unknown field `pgae`, expected `page` or `author`",
        ),
    ] {
        let request = Request::new("GET", &format!("/boards/a/search/new?{query}"));
        let (status, body) = answer(&sim, request).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 400, "{query}");
        assert_eq!(body["error"]["message"], message, "{query}");
    }
}

#[anchorhold::test]
async fn optional_struct_is_absent_without_a_query_string(sim: Sim) {
    let (_, body) = answer(&sim, Request::new("GET", "/boards/a/maybe")).await;
    assert_eq!(body, "null");
    let (_, body) = answer(&sim, Request::new("GET", "/boards/a/maybe?page=1")).await;
    assert_eq!(body, r#"{"page":1,"author":null}"#);
}

#[anchorhold::test]
async fn query_string_stands_beside_a_body(sim: Sim) {
    let post = Request::new("POST", "/boards/a/notes?page=7")
        .with_json(&serde_json::json!({ "text": "hello" }))
        .unwrap();
    let put = Request::new("PUT", "/boards/a/notes?page=7")
        .with_json(&"hello")
        .unwrap();
    for request in [post, put] {
        let (status, body) = answer(&sim, request).await;
        assert_eq!(
            (status, body.as_str()),
            (200, r#"["hello",{"page":7,"author":null}]"#)
        );
    }
}

#[anchorhold::test]
async fn upgrade_reads_its_query_string(sim: Sim) {
    let board = sim.objects::<Board>().named("a");
    assert!(sim.connect(&board, "/live?page=1").await.is_ok());
    assert!(sim.connect(&board, "/live?page=one").await.is_err());
}

#[anchorhold::test]
async fn caller_by_rpc_passes_it_like_any_other(sim: Sim) {
    let board = sim.objects::<Board>().named("a");
    let answer = board
        .search("new".to_owned(), filter(5, Some("ann")))
        .await
        .unwrap();
    assert_eq!(answer, ("new".to_owned(), filter(5, Some("ann"))));
}

#[durable_object]
struct Listed {}

#[derive(Serialize, Deserialize)]
struct Tags {
    tags: Vec<String>,
}

#[durable_object]
impl Listed {
    #[get("/")]
    fn list(&self, #[query] tags: Tags) -> usize {
        tags.tags.len()
    }
}

#[anchorhold::test]
#[should_panic(
    expected = "GET / of Listed: `tags` of `#[query] tags` is a list, but a query string"
)]
async fn app_does_not_start_with_a_list_in_a_query_string(sim: Sim) {
    sim.app(App::new().mount::<Listed>("/{name}"));
}

#[durable_object]
struct Single {}

#[durable_object]
impl Single {
    #[get("/")]
    fn single(&self, #[query] id: Id) -> u64 {
        id.0
    }
}

#[anchorhold::test]
#[should_panic(
    expected = "GET / of Single: `#[query] id` is one value, but a query string is decoded into a struct"
)]
async fn app_does_not_start_with_one_value_for_a_query_string(sim: Sim) {
    sim.app(App::new().mount::<Single>("/{name}"));
}

#[durable_object]
struct Endless {}

#[derive(Serialize, Deserialize)]
struct List(Option<Box<List>>);

#[durable_object]
impl Endless {
    #[get("/{list}")]
    fn list(&self, list: List) -> bool {
        list.0.is_none()
    }
}

#[anchorhold::test]
#[should_panic(expected = "GET /{list} of Endless: `list` is a type that contains itself")]
async fn app_does_not_start_with_a_recursive_type_in_a_path(sim: Sim) {
    sim.app(App::new().mount::<Endless>("/{name}"));
}
