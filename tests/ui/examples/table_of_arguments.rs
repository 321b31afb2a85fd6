//! What `docs/attributes.md` allows as an argument of each event.
#![allow(dead_code)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Id(u64);

#[derive(Serialize, Deserialize)]
struct Filter {
    page: u32,
}

#[derive(Serialize, Deserialize)]
struct Session {}

mod context_of_init {
    use super::*;

    #[durable_object]
    struct ContextOfInit {}

    #[durable_object]
    impl ContextOfInit {
        #[init]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod context_of_rpc {
    use super::*;

    #[durable_object]
    struct ContextOfRpc {}

    #[durable_object]
    impl ContextOfRpc {
        #[rpc]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod context_of_routes {
    use super::*;

    #[durable_object]
    struct ContextOfRoutes {}

    #[durable_object]
    impl ContextOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod context_of_websocket {
    use super::*;

    #[durable_object]
    struct ContextOfWebsocket {}

    #[durable_object]
    impl ContextOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: &Ctx) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod context_of_alarm {
    use super::*;

    #[durable_object]
    struct ContextOfAlarm {}

    #[durable_object]
    impl ContextOfAlarm {
        #[alarm]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod context_of_message {
    use super::*;

    #[durable_object]
    struct ContextOfMessage {}

    #[durable_object]
    impl ContextOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: &Ctx, message: Id) {
            let _ = (value, message);
        }
    }
}

mod context_of_message_text {
    use super::*;

    #[durable_object]
    struct ContextOfMessageText {}

    #[durable_object]
    impl ContextOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: &Ctx, message: &str) {
            let _ = (value, message);
        }
    }
}

mod context_of_message_binary {
    use super::*;

    #[durable_object]
    struct ContextOfMessageBinary {}

    #[durable_object]
    impl ContextOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: &Ctx, message: &[u8]) {
            let _ = (value, message);
        }
    }
}

mod context_of_close {
    use super::*;

    #[durable_object]
    struct ContextOfClose {}

    #[durable_object]
    impl ContextOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod context_of_error {
    use super::*;

    #[durable_object]
    struct ContextOfError {}

    #[durable_object]
    impl ContextOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: &Ctx) {
            let _ = value;
        }
    }
}

mod socket_of_message {
    use super::*;

    #[durable_object]
    struct SocketOfMessage {}

    #[durable_object]
    impl SocketOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: &Socket<Session>, message: Id) {
            let _ = (value, message);
        }
    }
}

mod socket_of_message_text {
    use super::*;

    #[durable_object]
    struct SocketOfMessageText {}

    #[durable_object]
    impl SocketOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: &Socket<Session>, message: &str) {
            let _ = (value, message);
        }
    }
}

mod socket_of_message_binary {
    use super::*;

    #[durable_object]
    struct SocketOfMessageBinary {}

    #[durable_object]
    impl SocketOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: &Socket<Session>, message: &[u8]) {
            let _ = (value, message);
        }
    }
}

mod socket_of_close {
    use super::*;

    #[durable_object]
    struct SocketOfClose {}

    #[durable_object]
    impl SocketOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod socket_of_error {
    use super::*;

    #[durable_object]
    struct SocketOfError {}

    #[durable_object]
    impl SocketOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod text_of_rpc {
    use super::*;

    #[durable_object]
    struct TextOfRpc {}

    #[durable_object]
    impl TextOfRpc {
        #[rpc]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_routes {
    use super::*;

    #[durable_object]
    struct TextOfRoutes {}

    #[durable_object]
    impl TextOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_websocket {
    use super::*;

    #[durable_object]
    struct TextOfWebsocket {}

    #[durable_object]
    impl TextOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: &str) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod text_of_message_text {
    use super::*;

    #[durable_object]
    struct TextOfMessageText {}

    #[durable_object]
    impl TextOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod bytes_of_rpc {
    use super::*;

    #[durable_object]
    struct BytesOfRpc {}

    #[durable_object]
    impl BytesOfRpc {
        #[rpc]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_routes {
    use super::*;

    #[durable_object]
    struct BytesOfRoutes {}

    #[durable_object]
    impl BytesOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_message_binary {
    use super::*;

    #[durable_object]
    struct BytesOfMessageBinary {}

    #[durable_object]
    impl BytesOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod string_of_rpc {
    use super::*;

    #[durable_object]
    struct StringOfRpc {}

    #[durable_object]
    impl StringOfRpc {
        #[rpc]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_routes {
    use super::*;

    #[durable_object]
    struct StringOfRoutes {}

    #[durable_object]
    impl StringOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_websocket {
    use super::*;

    #[durable_object]
    struct StringOfWebsocket {}

    #[durable_object]
    impl StringOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: String) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod string_of_alarm {
    use super::*;

    #[durable_object]
    struct StringOfAlarm {}

    #[durable_object]
    impl StringOfAlarm {
        #[alarm]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_message {
    use super::*;

    #[durable_object]
    struct StringOfMessage {}

    #[durable_object]
    impl StringOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_message_text {
    use super::*;

    #[durable_object]
    struct StringOfMessageText {}

    #[durable_object]
    impl StringOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod vector_of_rpc {
    use super::*;

    #[durable_object]
    struct VectorOfRpc {}

    #[durable_object]
    impl VectorOfRpc {
        #[rpc]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_routes {
    use super::*;

    #[durable_object]
    struct VectorOfRoutes {}

    #[durable_object]
    impl VectorOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_alarm {
    use super::*;

    #[durable_object]
    struct VectorOfAlarm {}

    #[durable_object]
    impl VectorOfAlarm {
        #[alarm]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_message {
    use super::*;

    #[durable_object]
    struct VectorOfMessage {}

    #[durable_object]
    impl VectorOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_message_binary {
    use super::*;

    #[durable_object]
    struct VectorOfMessageBinary {}

    #[durable_object]
    impl VectorOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod value_of_rpc {
    use super::*;

    #[durable_object]
    struct ValueOfRpc {}

    #[durable_object]
    impl ValueOfRpc {
        #[rpc]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_routes {
    use super::*;

    #[durable_object]
    struct ValueOfRoutes {}

    #[durable_object]
    impl ValueOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_websocket {
    use super::*;

    #[durable_object]
    struct ValueOfWebsocket {}

    #[durable_object]
    impl ValueOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: Id) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod value_of_alarm {
    use super::*;

    #[durable_object]
    struct ValueOfAlarm {}

    #[durable_object]
    impl ValueOfAlarm {
        #[alarm]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_message {
    use super::*;

    #[durable_object]
    struct ValueOfMessage {}

    #[durable_object]
    impl ValueOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod body_of_routes {
    use super::*;

    #[durable_object]
    struct BodyOfRoutes {}

    #[durable_object]
    impl BodyOfRoutes {
        #[post("/")]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_routes {
    use super::*;

    #[durable_object]
    struct QueryOfRoutes {}

    #[durable_object]
    impl QueryOfRoutes {
        #[post("/")]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_websocket {
    use super::*;

    #[durable_object]
    struct QueryOfWebsocket {}

    #[durable_object]
    impl QueryOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, #[query] value: Filter) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod request_of_routes {
    use super::*;

    #[durable_object]
    struct RequestOfRoutes {}

    #[durable_object]
    impl RequestOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_websocket {
    use super::*;

    #[durable_object]
    struct RequestOfWebsocket {}

    #[durable_object]
    impl RequestOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: Request) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod run_of_alarm {
    use super::*;

    #[durable_object]
    struct RunOfAlarm {}

    #[durable_object]
    impl RunOfAlarm {
        #[alarm]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod close_event_of_close {
    use super::*;

    #[durable_object]
    struct CloseEventOfClose {}

    #[durable_object]
    impl CloseEventOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod socket_error_of_error {
    use super::*;

    #[durable_object]
    struct SocketErrorOfError {}

    #[durable_object]
    impl SocketErrorOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

fn main() {}
