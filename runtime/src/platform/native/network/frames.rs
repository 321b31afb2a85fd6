//! The frames of a client's messages (RFC 6455, section 5.2), which are tracked while they are
//! read.

use tokio::io::ReadBuf;
use tokio::time::Instant;

/// The library allocates the length that a frame states. So a frame that states more than this is
/// passed on in fragments of this many bytes. They all use the frame's mask, because this is a
/// multiple of four.
const FRAGMENT: u16 = 16 * 1024;
/// The maximum payload of a control frame. The library detects a longer one only if it has at least
/// one byte more.
const MAX_CONTROL: u16 = 125;
const LONGEST_HEADER: usize = 14;

const LAST: u8 = 0x80;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

/// The position in a client's stream of frames, and the received part of the incomplete message.
#[derive(Debug)]
pub(super) struct Frames {
    /// A frame that states more is passed on unchanged, and the library refuses it.
    longest: u64,
    /// The beginning of an incomplete header.
    partial: Few,
    /// A header that is passed on before anything else is read.
    ready: Few,
    /// The missing part of the payload up to the next header.
    payload: u64,
    /// The rest of the frame after that. It is passed on in fragments with headers made here.
    beyond: u64,
    is_data: bool,
    is_last: bool,
    mask: Option<[u8; 4]>,
    message: Option<Message>,
}

#[derive(Debug)]
struct Message {
    since: Instant,
    bytes: usize,
}

impl Frames {
    /// Starts at the beginning of a frame. A frame that states more than `longest` bytes is not
    /// split.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest: longest as u64,
            partial: Few::default(),
            ready: Few::default(),
            payload: 0,
            beyond: 0,
            is_data: false,
            is_last: false,
            mask: None,
            message: None,
        }
    }

    /// When the incomplete message began.
    pub(super) fn unfinished_since(&self) -> Option<Instant> {
        Some(self.message.as_ref()?.since)
    }

    /// How many bytes of the incomplete message have arrived.
    pub(super) fn unfinished_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.bytes)
    }

    /// Passes on a header that is ready. Returns `false` if there is none.
    pub(super) fn pass_header(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let passed = self.ready.length.min(buffer.remaining());
        buffer.put_slice(&self.ready.bytes[..passed]);
        self.ready.remove_first(passed);
        passed > 0
    }

    /// How many bytes may be read next.
    pub(super) fn may_read(&self) -> usize {
        if self.partial.length > 0 {
            missing_of_header(self.partial.as_slice())
        } else if self.beyond > 0 {
            // At most one fragment.
            usize::try_from(self.payload).unwrap_or(usize::from(FRAGMENT))
        } else {
            usize::from(FRAGMENT)
        }
    }

    /// Tracks what was read, and may change headers in it. Returns how many of the bytes are to be
    /// passed on. The rest is kept here until a header is complete.
    pub(super) fn follow(&mut self, bytes: &mut [u8]) -> usize {
        if self.partial.length > 0 {
            self.partial.extend(bytes);
            if missing_of_header(self.partial.as_slice()) == 0 {
                self.ready = std::mem::take(&mut self.partial);
                let Few { mut bytes, length } = self.ready;
                self.begin_frame(&mut bytes[..length]);
                self.ready.bytes = bytes;
            }
            return 0;
        }
        let mut at = 0;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            if self.payload > 0 {
                at += self.take_payload(rest.len());
                continue;
            }
            let header = header_length(rest);
            if header > rest.len() {
                self.partial.extend(rest);
                break;
            }
            self.begin_frame(&mut rest[..header]);
            at += header;
        }
        at
    }

    /// Handles a complete header, and may change it.
    fn begin_frame(&mut self, header: &mut [u8]) {
        let [first, second] = [header[0], header[1]];
        let extended = header_length(header) - if second & MASKED == 0 { 2 } else { 6 };
        let (length, mask) = header[2..].split_at(extended);
        let length = match length {
            [] => u64::from(second & LENGTH),
            length => length
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        self.is_data = first & CONTROL == 0;
        self.is_last = first & LAST != 0;
        self.mask = mask.try_into().ok();
        self.payload = length;
        self.beyond = 0;
        let mut state = |length: u16| {
            let field = &mut header[2..2 + extended];
            field.fill(0);
            field[extended - 2..].copy_from_slice(&length.to_be_bytes());
        };
        if !self.is_data {
            if length > u64::from(MAX_CONTROL) {
                // This ends the connection, so what follows the frame does not matter.
                state(MAX_CONTROL + 1);
            }
            return;
        }
        self.message.get_or_insert_with(|| Message {
            since: Instant::now(),
            bytes: 0,
        });
        let fragment = u64::from(FRAGMENT);
        if length > fragment && length <= self.longest {
            state(FRAGMENT);
            header[0] &= !LAST;
            self.payload = fragment;
            self.beyond = length - fragment;
        }
        self.end_frame_if_whole();
    }

    /// Returns how many of `there` bytes belong to the payload up to the next header.
    fn take_payload(&mut self, there: usize) -> usize {
        let taken = usize::try_from(self.payload).map_or(there, |payload| payload.min(there));
        self.payload -= taken as u64;
        if let Some(message) = self.message.as_mut().filter(|_| self.is_data) {
            message.bytes += taken;
        }
        self.end_frame_if_whole();
        taken
    }

    fn end_frame_if_whole(&mut self) {
        if self.payload > 0 {
            return;
        }
        if self.beyond == 0 {
            if self.is_data && self.is_last {
                self.message = None;
            }
            return;
        }
        let fragment = self.beyond.min(u64::from(FRAGMENT));
        self.beyond -= fragment;
        self.payload = fragment;
        let is_last = self.is_last && self.beyond == 0;
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        let [high, low] = u16::try_from(fragment).unwrap_or(FRAGMENT).to_be_bytes();
        let first = if is_last { LAST } else { 0 };
        self.ready
            .extend(&[first, masked | LENGTH_IN_2_BYTES, high, low]);
        self.ready
            .extend(self.mask.as_ref().map_or(&[], |mask| mask));
    }
}

/// Returns the length of the header that begins with these bytes. Returns two if fewer than two
/// bytes are given.
fn header_length(bytes: &[u8]) -> usize {
    let Some(second) = bytes.get(1) else {
        return 2;
    };
    let extended = match second & LENGTH {
        LENGTH_IN_2_BYTES => 2,
        LENGTH_IN_8_BYTES => 8,
        _ => 0,
    };
    2 + extended + if second & MASKED == 0 { 0 } else { 4 }
}

fn missing_of_header(bytes: &[u8]) -> usize {
    header_length(bytes) - bytes.len()
}

/// Bytes of at most one header.
#[derive(Clone, Copy, Debug, Default)]
struct Few {
    bytes: [u8; LONGEST_HEADER],
    length: usize,
}

impl Few {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn remove_first(&mut self, count: usize) {
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_states_no_more_than_a_fragment_whatever_came() {
        let stated = |first: u8, length: u64| {
            let mut header = vec![first, MASKED | LENGTH_IN_8_BYTES];
            header.extend(length.to_be_bytes());
            header.extend([1, 2, 3, 4]);
            assert_eq!(Frames::new(1 << 25).follow(&mut header), LONGEST_HEADER);
            let passed = u64::from_be_bytes(header[2..10].try_into().unwrap());
            (header[0], passed)
        };
        let fragment = u64::from(FRAGMENT);
        assert_eq!(stated(0x82, 1 << 25), (0x02, fragment));
        assert_eq!(stated(0x80, fragment + 1), (0x00, fragment));
        assert_eq!(stated(0x82, fragment), (0x82, fragment));
        // The library refuses such a frame at once.
        assert_eq!(stated(0x82, (1 << 25) + 1), (0x82, (1 << 25) + 1));
        // The library allocates the length first, and only then finds that it is too long.
        assert_eq!(stated(0x89, 1 << 25), (0x89, 126));
    }
}
