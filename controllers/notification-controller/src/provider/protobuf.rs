//! As much of Protocol Buffers as a trace needs: writing.

/// A message being written.
#[derive(Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// A field of bytes, text or a message; an empty one is left out.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        if !value.is_empty() {
            self.varint(field << 3 | 2);
            self.varint(value.len() as u64);
            self.0.extend_from_slice(value);
        }
        self
    }

    /// A field that is a message.
    pub fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// A field of an unsigned number; zero is left out.
    pub fn number(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
        self
    }

    /// A field of 64 fixed bits.
    pub fn fixed64(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3 | 1);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
        self
    }

    /// The message as bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_specification() {
        assert_eq!(Message::default().number(1, 150).finish(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, b"testing").finish(), b"\x12\x07testing");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, inner).finish(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert!(Message::default().number(1, 0).bytes(2, b"").fixed64(3, 0).finish().is_empty());
    }
}
