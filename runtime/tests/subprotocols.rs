//! Tests the choice of a socket's subprotocol.

use anchorhold::prelude::*;

#[durable_object]
struct Speaker {}

#[durable_object]
impl Speaker {
    #[websocket("/ws")]
    fn listen(&self, speaks: String) -> Accept<()> {
        let protocols = speaks.split(',').filter(|name| !name.is_empty());
        Accept::new(()).protocols(protocols)
    }
}

#[anchorhold::test]
async fn first_subprotocol_of_the_route_that_the_client_offers_is_chosen(sim: Sim) {
    sim.app(App::new().mount::<Speaker>("/speakers/{name}"));
    for (speaks, offers, status, chosen) in [
        ("", None, 101, None),
        ("", Some("a"), 101, None),
        ("a,b", None, 101, None),
        ("a,b", Some("b"), 101, Some("b")),
        ("a,b", Some("b, a"), 101, Some("a")),
        ("a,b", Some(" b ,c"), 101, Some("b")),
        ("a,b", Some("ab, A"), 101, None),
        (
            "graphql-transport-ws",
            Some("graphql-transport-ws"),
            101,
            Some("graphql-transport-ws"),
        ),
        ("a%20b", Some("a b"), 500, None),
    ] {
        let path = format!("/speakers/a/ws?speaks={speaks}");
        let mut request = Request::new("GET", &path).with_header("upgrade", "websocket");
        if let Some(offers) = offers {
            request = request.with_header("sec-websocket-protocol", offers);
        }
        let response = sim.fetch(request).await;
        assert_eq!(response.status(), status, "{speaks} {offers:?}");
        let header = response.header("sec-websocket-protocol");
        assert_eq!(header, chosen, "{speaks} {offers:?}");
    }
}
