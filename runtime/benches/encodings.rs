//! The candidates for the encoding of values, side by side: `cargo bench -p anchorhold --bench encodings`.
//!
//! Each is measured there and back, on the counter's value and on a page of chat. The sizes are
//! printed first.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Message {
    id: u64,
    user: String,
    text: String,
    at: i64,
    client_id: Option<String>,
}

fn page() -> Vec<Message> {
    (0..20)
        .map(|id| Message {
            id,
            user: format!("user-{id}"),
            text: "The quick brown fox jumps over the lazy dog.".to_owned(),
            at: 1_760_000_000_000,
            client_id: (id % 2 == 0).then(|| format!("client-{id}")),
        })
        .collect()
}

/// What a value is turned into, and back from.
trait Encoding {
    fn encode<T: Serialize>(value: &T) -> Vec<u8>;
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T;
}

/// MessagePack with the names of fields, as `wire.rs` writes it.
struct NamedMessagePack;

impl Encoding for NamedMessagePack {
    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut serializer = rmp_serde::Serializer::new(&mut bytes)
            .with_struct_map()
            .with_human_readable();
        value.serialize(&mut serializer).expect("it has a form");
        bytes
    }
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
        T::deserialize(&mut deserializer).expect("it was just written")
    }
}

struct Json;

impl Encoding for Json {
    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        serde_json::to_vec(value).expect("it has a form")
    }
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
        serde_json::from_slice(bytes).expect("it was just written")
    }
}

/// Smallest, and without names: a field added later does not load.
struct Postcard;

impl Encoding for Postcard {
    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        postcard::to_allocvec(value).expect("it has a form")
    }
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
        postcard::from_bytes(bytes).expect("it was just written")
    }
}

#[divan::bench(types = [NamedMessagePack, Json, Postcard])]
fn counter<E: Encoding>(bencher: divan::Bencher<'_, '_>) {
    let value = 1_234_567_i64;
    bencher.bench(|| E::decode::<i64>(&E::encode(divan::black_box(&value))));
}

#[divan::bench(types = [NamedMessagePack, Json, Postcard])]
fn page_of_chat<E: Encoding>(bencher: divan::Bencher<'_, '_>) {
    let page = page();
    bencher.bench(|| E::decode::<Vec<Message>>(&E::encode(divan::black_box(&page))));
}

fn main() {
    let page = page();
    println!(
        "bytes of a page of chat: MessagePack {}, JSON {}, postcard {}",
        NamedMessagePack::encode(&page).len(),
        Json::encode(&page).len(),
        Postcard::encode(&page).len(),
    );
    divan::main();
}
