-- create
CREATE TABLE `sales`.`Orders` (
`Id` BIGINT,
`part` STRING,
`i8` TINYINT,
`i16` SMALLINT,
`i32` INT,
`f32` FLOAT,
`f64` DOUBLE,
`flag` BOOLEAN,
`name` STRING,
`blob` BINARY,
`amount` DECIMAL(38,2),
`day` DATE,
`time` STRING,
`at` TIMESTAMP,
`listed` TIMESTAMP);

-- create without quoting
CREATE TABLE `Orders` (
`Id` BIGINT,
`part` STRING);

-- add columns
ALTER TABLE `sales`.`Orders` ADD COLUMNS (
`name` STRING,
`blob` BINARY);

-- insert
INSERT INTO `sales`.`Orders` (`Id`,`part`,`amount`) VALUES (?,?,?);

-- truncate
TRUNCATE TABLE `sales`.`Orders`;

-- time
SELECT to_utc_timestamp(current_timestamp(), from_unixtime(0, 'z'));

-- schema
SELECT current_database();

-- zone
-- none;

