#![allow(unused)]

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

mod socket_of_init {
    use super::*;

    #[durable_object]
    struct SocketOfInit {}

    #[durable_object]
    impl SocketOfInit {
        #[init]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod socket_of_rpc {
    use super::*;

    #[durable_object]
    struct SocketOfRpc {}

    #[durable_object]
    impl SocketOfRpc {
        #[rpc]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod socket_of_routes {
    use super::*;

    #[durable_object]
    struct SocketOfRoutes {}

    #[durable_object]
    impl SocketOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod socket_of_websocket {
    use super::*;

    #[durable_object]
    struct SocketOfWebsocket {}

    #[durable_object]
    impl SocketOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: &Socket<Session>) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod socket_of_alarm {
    use super::*;

    #[durable_object]
    struct SocketOfAlarm {}

    #[durable_object]
    impl SocketOfAlarm {
        #[alarm]
        fn handler(&mut self, value: &Socket<Session>) {
            let _ = value;
        }
    }
}

mod text_of_init {
    use super::*;

    #[durable_object]
    struct TextOfInit {}

    #[durable_object]
    impl TextOfInit {
        #[init]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_alarm {
    use super::*;

    #[durable_object]
    struct TextOfAlarm {}

    #[durable_object]
    impl TextOfAlarm {
        #[alarm]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_message {
    use super::*;

    #[durable_object]
    struct TextOfMessage {}

    #[durable_object]
    impl TextOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_message_binary {
    use super::*;

    #[durable_object]
    struct TextOfMessageBinary {}

    #[durable_object]
    impl TextOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_close {
    use super::*;

    #[durable_object]
    struct TextOfClose {}

    #[durable_object]
    impl TextOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod text_of_error {
    use super::*;

    #[durable_object]
    struct TextOfError {}

    #[durable_object]
    impl TextOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: &str) {
            let _ = value;
        }
    }
}

mod bytes_of_init {
    use super::*;

    #[durable_object]
    struct BytesOfInit {}

    #[durable_object]
    impl BytesOfInit {
        #[init]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_websocket {
    use super::*;

    #[durable_object]
    struct BytesOfWebsocket {}

    #[durable_object]
    impl BytesOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: &[u8]) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod bytes_of_alarm {
    use super::*;

    #[durable_object]
    struct BytesOfAlarm {}

    #[durable_object]
    impl BytesOfAlarm {
        #[alarm]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_message {
    use super::*;

    #[durable_object]
    struct BytesOfMessage {}

    #[durable_object]
    impl BytesOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_message_text {
    use super::*;

    #[durable_object]
    struct BytesOfMessageText {}

    #[durable_object]
    impl BytesOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_close {
    use super::*;

    #[durable_object]
    struct BytesOfClose {}

    #[durable_object]
    impl BytesOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod bytes_of_error {
    use super::*;

    #[durable_object]
    struct BytesOfError {}

    #[durable_object]
    impl BytesOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: &[u8]) {
            let _ = value;
        }
    }
}

mod string_of_init {
    use super::*;

    #[durable_object]
    struct StringOfInit {}

    #[durable_object]
    impl StringOfInit {
        #[init]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_message_binary {
    use super::*;

    #[durable_object]
    struct StringOfMessageBinary {}

    #[durable_object]
    impl StringOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_close {
    use super::*;

    #[durable_object]
    struct StringOfClose {}

    #[durable_object]
    impl StringOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod string_of_error {
    use super::*;

    #[durable_object]
    struct StringOfError {}

    #[durable_object]
    impl StringOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: String) {
            let _ = value;
        }
    }
}

mod vector_of_init {
    use super::*;

    #[durable_object]
    struct VectorOfInit {}

    #[durable_object]
    impl VectorOfInit {
        #[init]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_websocket {
    use super::*;

    #[durable_object]
    struct VectorOfWebsocket {}

    #[durable_object]
    impl VectorOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: Vec<u8>) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod vector_of_message_text {
    use super::*;

    #[durable_object]
    struct VectorOfMessageText {}

    #[durable_object]
    impl VectorOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_close {
    use super::*;

    #[durable_object]
    struct VectorOfClose {}

    #[durable_object]
    impl VectorOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod vector_of_error {
    use super::*;

    #[durable_object]
    struct VectorOfError {}

    #[durable_object]
    impl VectorOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: Vec<u8>) {
            let _ = value;
        }
    }
}

mod value_of_init {
    use super::*;

    #[durable_object]
    struct ValueOfInit {}

    #[durable_object]
    impl ValueOfInit {
        #[init]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_message_text {
    use super::*;

    #[durable_object]
    struct ValueOfMessageText {}

    #[durable_object]
    impl ValueOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_message_binary {
    use super::*;

    #[durable_object]
    struct ValueOfMessageBinary {}

    #[durable_object]
    impl ValueOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_close {
    use super::*;

    #[durable_object]
    struct ValueOfClose {}

    #[durable_object]
    impl ValueOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod value_of_error {
    use super::*;

    #[durable_object]
    struct ValueOfError {}

    #[durable_object]
    impl ValueOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: Id) {
            let _ = value;
        }
    }
}

mod body_of_init {
    use super::*;

    #[durable_object]
    struct BodyOfInit {}

    #[durable_object]
    impl BodyOfInit {
        #[init]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_rpc {
    use super::*;

    #[durable_object]
    struct BodyOfRpc {}

    #[durable_object]
    impl BodyOfRpc {
        #[rpc]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_websocket {
    use super::*;

    #[durable_object]
    struct BodyOfWebsocket {}

    #[durable_object]
    impl BodyOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, #[body] value: Filter) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod body_of_alarm {
    use super::*;

    #[durable_object]
    struct BodyOfAlarm {}

    #[durable_object]
    impl BodyOfAlarm {
        #[alarm]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_message {
    use super::*;

    #[durable_object]
    struct BodyOfMessage {}

    #[durable_object]
    impl BodyOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_message_text {
    use super::*;

    #[durable_object]
    struct BodyOfMessageText {}

    #[durable_object]
    impl BodyOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_message_binary {
    use super::*;

    #[durable_object]
    struct BodyOfMessageBinary {}

    #[durable_object]
    impl BodyOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_close {
    use super::*;

    #[durable_object]
    struct BodyOfClose {}

    #[durable_object]
    impl BodyOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod body_of_error {
    use super::*;

    #[durable_object]
    struct BodyOfError {}

    #[durable_object]
    impl BodyOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, #[body] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_init {
    use super::*;

    #[durable_object]
    struct QueryOfInit {}

    #[durable_object]
    impl QueryOfInit {
        #[init]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_rpc {
    use super::*;

    #[durable_object]
    struct QueryOfRpc {}

    #[durable_object]
    impl QueryOfRpc {
        #[rpc]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_alarm {
    use super::*;

    #[durable_object]
    struct QueryOfAlarm {}

    #[durable_object]
    impl QueryOfAlarm {
        #[alarm]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_message {
    use super::*;

    #[durable_object]
    struct QueryOfMessage {}

    #[durable_object]
    impl QueryOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_message_text {
    use super::*;

    #[durable_object]
    struct QueryOfMessageText {}

    #[durable_object]
    impl QueryOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_message_binary {
    use super::*;

    #[durable_object]
    struct QueryOfMessageBinary {}

    #[durable_object]
    impl QueryOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_close {
    use super::*;

    #[durable_object]
    struct QueryOfClose {}

    #[durable_object]
    impl QueryOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod query_of_error {
    use super::*;

    #[durable_object]
    struct QueryOfError {}

    #[durable_object]
    impl QueryOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, #[query] value: Filter) {
            let _ = value;
        }
    }
}

mod request_of_init {
    use super::*;

    #[durable_object]
    struct RequestOfInit {}

    #[durable_object]
    impl RequestOfInit {
        #[init]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_rpc {
    use super::*;

    #[durable_object]
    struct RequestOfRpc {}

    #[durable_object]
    impl RequestOfRpc {
        #[rpc]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_alarm {
    use super::*;

    #[durable_object]
    struct RequestOfAlarm {}

    #[durable_object]
    impl RequestOfAlarm {
        #[alarm]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_message {
    use super::*;

    #[durable_object]
    struct RequestOfMessage {}

    #[durable_object]
    impl RequestOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_message_text {
    use super::*;

    #[durable_object]
    struct RequestOfMessageText {}

    #[durable_object]
    impl RequestOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_message_binary {
    use super::*;

    #[durable_object]
    struct RequestOfMessageBinary {}

    #[durable_object]
    impl RequestOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_close {
    use super::*;

    #[durable_object]
    struct RequestOfClose {}

    #[durable_object]
    impl RequestOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod request_of_error {
    use super::*;

    #[durable_object]
    struct RequestOfError {}

    #[durable_object]
    impl RequestOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: Request) {
            let _ = value;
        }
    }
}

mod run_of_init {
    use super::*;

    #[durable_object]
    struct RunOfInit {}

    #[durable_object]
    impl RunOfInit {
        #[init]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_rpc {
    use super::*;

    #[durable_object]
    struct RunOfRpc {}

    #[durable_object]
    impl RunOfRpc {
        #[rpc]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_routes {
    use super::*;

    #[durable_object]
    struct RunOfRoutes {}

    #[durable_object]
    impl RunOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_websocket {
    use super::*;

    #[durable_object]
    struct RunOfWebsocket {}

    #[durable_object]
    impl RunOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: AlarmRun) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod run_of_message {
    use super::*;

    #[durable_object]
    struct RunOfMessage {}

    #[durable_object]
    impl RunOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_message_text {
    use super::*;

    #[durable_object]
    struct RunOfMessageText {}

    #[durable_object]
    impl RunOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_message_binary {
    use super::*;

    #[durable_object]
    struct RunOfMessageBinary {}

    #[durable_object]
    impl RunOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_close {
    use super::*;

    #[durable_object]
    struct RunOfClose {}

    #[durable_object]
    impl RunOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod run_of_error {
    use super::*;

    #[durable_object]
    struct RunOfError {}

    #[durable_object]
    impl RunOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: AlarmRun) {
            let _ = value;
        }
    }
}

mod close_event_of_init {
    use super::*;

    #[durable_object]
    struct CloseEventOfInit {}

    #[durable_object]
    impl CloseEventOfInit {
        #[init]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_rpc {
    use super::*;

    #[durable_object]
    struct CloseEventOfRpc {}

    #[durable_object]
    impl CloseEventOfRpc {
        #[rpc]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_routes {
    use super::*;

    #[durable_object]
    struct CloseEventOfRoutes {}

    #[durable_object]
    impl CloseEventOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_websocket {
    use super::*;

    #[durable_object]
    struct CloseEventOfWebsocket {}

    #[durable_object]
    impl CloseEventOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: CloseEvent) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod close_event_of_alarm {
    use super::*;

    #[durable_object]
    struct CloseEventOfAlarm {}

    #[durable_object]
    impl CloseEventOfAlarm {
        #[alarm]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_message {
    use super::*;

    #[durable_object]
    struct CloseEventOfMessage {}

    #[durable_object]
    impl CloseEventOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_message_text {
    use super::*;

    #[durable_object]
    struct CloseEventOfMessageText {}

    #[durable_object]
    impl CloseEventOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_message_binary {
    use super::*;

    #[durable_object]
    struct CloseEventOfMessageBinary {}

    #[durable_object]
    impl CloseEventOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod close_event_of_error {
    use super::*;

    #[durable_object]
    struct CloseEventOfError {}

    #[durable_object]
    impl CloseEventOfError {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[error]
        fn handler(&mut self, value: CloseEvent) {
            let _ = value;
        }
    }
}

mod socket_error_of_init {
    use super::*;

    #[durable_object]
    struct SocketErrorOfInit {}

    #[durable_object]
    impl SocketErrorOfInit {
        #[init]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_rpc {
    use super::*;

    #[durable_object]
    struct SocketErrorOfRpc {}

    #[durable_object]
    impl SocketErrorOfRpc {
        #[rpc]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_routes {
    use super::*;

    #[durable_object]
    struct SocketErrorOfRoutes {}

    #[durable_object]
    impl SocketErrorOfRoutes {
        #[post("/")]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_websocket {
    use super::*;

    #[durable_object]
    struct SocketErrorOfWebsocket {}

    #[durable_object]
    impl SocketErrorOfWebsocket {
        #[websocket("/")]
        fn handler(&mut self, value: SocketError) -> Accept<Session> {
            let _ = value;
            Accept::new(Session {})
        }
    }
}

mod socket_error_of_alarm {
    use super::*;

    #[durable_object]
    struct SocketErrorOfAlarm {}

    #[durable_object]
    impl SocketErrorOfAlarm {
        #[alarm]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_message {
    use super::*;

    #[durable_object]
    struct SocketErrorOfMessage {}

    #[durable_object]
    impl SocketErrorOfMessage {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_message_text {
    use super::*;

    #[durable_object]
    struct SocketErrorOfMessageText {}

    #[durable_object]
    impl SocketErrorOfMessageText {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(text)]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_message_binary {
    use super::*;

    #[durable_object]
    struct SocketErrorOfMessageBinary {}

    #[durable_object]
    impl SocketErrorOfMessageBinary {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[message(binary)]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

mod socket_error_of_close {
    use super::*;

    #[durable_object]
    struct SocketErrorOfClose {}

    #[durable_object]
    impl SocketErrorOfClose {
        #[websocket("/join")]
        fn join(&self) -> Accept<Session> {
            Accept::new(Session {})
        }

        #[close]
        fn handler(&mut self, value: SocketError) {
            let _ = value;
        }
    }
}

fn main() {}
