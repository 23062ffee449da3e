-- create
CREATE TABLE "sales"."Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR(1024) NOT NULL,
"i8" SMALLINT NULL,
"i16" SMALLINT NULL,
"i32" INTEGER DEFAULT 7,
"f32" REAL NULL,
"f64" DOUBLE PRECISION NOT NULL,
"flag" BOOLEAN DEFAULT TRUE,
"name" VARCHAR(1024) DEFAULT 'O''Hara \',
"blob" VARBINARY(1024) DEFAULT x'00ff',
"amount" DECIMAL(18,2) NULL,
"day" DATE DEFAULT '1970-01-01',
"time" TIME DEFAULT '00:00:01',
"at" TIMESTAMP DEFAULT '1970-01-01 00:00:01.500',
"listed" TIMESTAMP NULL,
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR(1024) NOT NULL,
PRIMARY KEY("Id","part"));

-- add columns
ALTER TABLE "sales"."Orders" ADD "name" VARCHAR(1024) DEFAULT 'O''Hara \';
ALTER TABLE "sales"."Orders" ADD "blob" VARBINARY(1024) DEFAULT x'00ff';

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- time
SELECT CURRENT_TIMESTAMP;

-- schema
-- none;

-- zone
-- none;

