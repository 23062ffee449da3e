-- create
CREATE TABLE "sales"."Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR(255) CHARACTER SET UNICODE NOT NULL,
"i8" BYTEINT,
"i16" SMALLINT,
"i32" INTEGER DEFAULT 7,
"f32" FLOAT,
"f64" FLOAT NOT NULL,
"flag" BYTEINT DEFAULT 1,
"name" VARCHAR(32000) CHARACTER SET UNICODE DEFAULT 'O''Hara \',
"blob" VARBYTE(64000) DEFAULT '00ff'XB,
"amount" DECIMAL(38,2),
"day" DATE DEFAULT DATE '1970-01-01',
"time" TIME(6) DEFAULT TIME '00:00:01',
"at" TIMESTAMP(6) DEFAULT TIMESTAMP '1970-01-01 00:00:01.500',
"listed" TIMESTAMP(6),
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR(255) CHARACTER SET UNICODE NOT NULL,
PRIMARY KEY("Id","part"));

-- add columns
ALTER TABLE "sales"."Orders" ADD "name" VARCHAR(32000) CHARACTER SET UNICODE DEFAULT 'O''Hara \',
ADD "blob" VARBYTE(64000) DEFAULT '00ff'XB;

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- upsert
MERGE INTO "sales"."Orders" AS target USING VALUES (?, ?, ?) AS incoming ("Id","part","amount") ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN MATCHED THEN UPDATE SET "amount" = incoming."amount" WHEN NOT MATCHED THEN INSERT ("Id", "part", "amount") VALUES (incoming."Id", incoming."part", incoming."amount");

-- upsert of keys alone
MERGE INTO "sales"."Orders" AS target USING VALUES (?, ?) AS incoming ("Id","part") ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN NOT MATCHED THEN INSERT ("Id", "part") VALUES (incoming."Id", incoming."part");

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- time
SELECT CAST(CURRENT_TIMESTAMP AT TIME ZONE INTERVAL '0:00' HOUR TO MINUTE AS TIMESTAMP(6));

-- schema
SELECT DATABASE;

-- zone
SET TIME ZONE INTERVAL '0:00' HOUR TO MINUTE;

