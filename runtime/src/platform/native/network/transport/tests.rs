//! Tests of the pump over a connection in memory, on paused time.

use std::rc::Weak;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

use super::super::budget::Budget;
use super::super::frame::Pending;
use super::*;
use crate::platform::native::executor::slot::Slot;

/// A socket whose object is gone.
fn detached() -> (Socket, Outgoing) {
    let owner: Weak<Slot> = Weak::new();
    let pending = Pending::new(Budget::new(MAX_PENDING).open());
    Socket::new(owner, pending, &[], &[])
}

/// A client's frame, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// A pump, and the peer's end of its connection, which buffers this many bytes each way.
fn pumped(buffer: usize) -> (impl Future<Output = ()>, DuplexStream, Socket) {
    let (ours, theirs) = duplex(buffer);
    let (socket, outgoing) = detached();
    let pumped = socket.clone();
    let pump = async move {
        pump_stream(&pumped, Peer::new(ours), Bytes::new(), outgoing).await;
    };
    (pump, theirs, socket)
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pump_reads_no_further_and_ends_when_pongs_are_not_taken() {
    let (pump, theirs, _socket) = pumped(64);
    let (mut reading, mut writing) = split(theirs);
    let pings = frame(0x89, &[7; 125]).repeat(10_000);
    let send = async {
        let mut sent = 0;
        while sent < pings.len()
            && let Ok(written) = writing.write(&pings[sent..]).await
        {
            sent += written;
        }
        sent
    };
    // Takes a byte now and then, so that the connection never stalls.
    let take = async {
        while reading.read_u8().await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let began = Instant::now();
    let timed = async {
        pump.await;
        began.elapsed()
    };
    let (took, sent, ()) = tokio::join!(timed, send, take);
    assert!(sent < 4 * BUFFER, "{sent} bytes of pings were read");
    assert_eq!(took.as_secs(), WRITE_PATIENCE.as_secs());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pump_answers_every_ping_of_a_peer_that_takes_pongs_slowly() {
    let (pump, theirs, _socket) = pumped(64);
    let (mut reading, mut writing) = split(theirs);
    let pings: Vec<u8> = (0..200u8)
        .flat_map(|number| frame(0x89, &[number; 100]))
        .collect();
    let peer = async {
        for number in 0..200u8 {
            sleep(Duration::from_secs(1)).await;
            let mut pong = [0; 102];
            reading.read_exact(&mut pong).await.expect("a pong");
            assert_eq!(pong[..2], [0x8a, 100]);
            assert_eq!(pong[2..], [number; 100]);
        }
    };
    tokio::select! {
        () = pump => panic!("the pump ended"),
        (written, ()) = async { tokio::join!(writing.write_all(&pings), peer) } => written.unwrap(),
    }
}

/// A message of `stated` bytes, of which `there` arrive.
fn part_of_message(stated: u64, there: usize) -> Vec<u8> {
    let mut bytes = vec![0x82, 0x80 | 127];
    bytes.extend(stated.to_be_bytes());
    bytes.resize(bytes.len() + 4 + there, 0);
    bytes
}

/// A client cannot answer a ping within a frame.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pump_takes_a_long_frame_for_a_sign_of_life() {
    let (pump, theirs, _socket) = pumped(1 << 10);
    let (mut reading, mut writing) = split(theirs);
    let peer = async {
        sleep(SILENCE - Duration::from_secs(2)).await;
        let message = part_of_message(10_000, 10_000);
        for part in message.chunks(100) {
            sleep(Duration::from_secs(1)).await;
            writing.write_all(part).await.expect("the pump reads");
        }
        sleep(Duration::from_secs(1)).await;
    };
    let began = Instant::now();
    tokio::select! {
        () = pump => panic!("the pump ended after {:?}", began.elapsed()),
        () = async { while reading.read_u8().await.is_ok() {} } => panic!("the connection ended"),
        () = peer => {}
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pump_closes_the_socket_whose_message_is_oldest_when_there_is_no_room() {
    let (pump, mut theirs, _socket) = pumped(1 << 20);
    // A socket without an object has room only for small messages.
    theirs
        .write_all(&part_of_message(1 << 25, 1 << 16))
        .await
        .unwrap();
    let ((), received) = tokio::join!(pump, async {
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).await.unwrap();
        drop(theirs);
        received
    });
    let reason = "too many unfinished messages; send this one again later";
    assert_eq!(received, close_bytes(TRY_AGAIN_LATER, reason));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pump_closes_with_a_code_when_a_frame_breaks_the_protocol() {
    let long_ping = [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat();
    for (bytes, code) in [
        (vec![0x81, 2, b'h', b'i'], 1002),
        (frame(0xc1, b"hi"), 1002),
        (frame(0x83, b"hi"), 1002),
        (frame(0x8b, b""), 1002),
        (frame(0x09, b""), 1002),
        (long_ping, 1002),
        (frame(0x80, b"hi"), 1002),
        ([frame(0x01, b"hi"), frame(0x81, b"hi")].concat(), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x81, b"\xff"), 1007),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
    ] {
        let (pump, mut theirs, _socket) = pumped(1 << 10);
        theirs.write_all(&bytes).await.unwrap();
        let ((), received) = tokio::join!(pump, async {
            let mut received = Vec::new();
            theirs.read_to_end(&mut received).await.unwrap();
            drop(theirs);
            received
        });
        let received = (received.first(), received.get(2..4));
        assert_eq!(
            received,
            (Some(&0x88), Some(&u16::to_be_bytes(code)[..])),
            "{bytes:x?}"
        );
    }
}
