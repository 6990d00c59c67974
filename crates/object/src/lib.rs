//! Object identity, inventory ids, apply order, masking of secrets.
