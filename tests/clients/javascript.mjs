// A user's program: from a disk to an instance and back, printed as JSON. The disk's path is given.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import * as ebs from "@aws-sdk/client-ebs";
import * as ec2 from "@aws-sdk/client-ec2";
import * as s3 from "@aws-sdk/client-s3";
import * as ssm from "@aws-sdk/client-ssm";
import { Upload } from "@aws-sdk/lib-storage";

const [, , path, region, second] = argv;
const bucket = "clients-javascript";
const here = new ec2.EC2Client({ region });
const there = new ec2.EC2Client({ region: second });
const storage = new s3.S3Client({ region, forcePathStyle: true });
const blocks = new ebs.EBSClient({ region });
const parameters = new ssm.SSMClient({ region });
const waiting = { maxWaitTime: 60, minDelay: 0.2, maxDelay: 0.5 };
const disk = readFileSync(path);

async function collect(pages, list) {
  const all = [];
  for await (const page of pages) all.push(...page[list]);
  return all;
}

async function importDisk() {
  const configuration = { LocationConstraint: region };
  await storage.send(
    new s3.CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: configuration }),
  );
  await s3.waitUntilBucketExists({ client: storage, ...waiting }, { Bucket: bucket });
  const object = { Bucket: bucket, Key: "disk.raw" };
  const upload = new Upload({
    client: storage,
    params: { ...object, Body: disk, ChecksumAlgorithm: "SHA256" },
  });
  await upload.done();
  const kept = await storage.send(new s3.GetObjectCommand({ ...object, ChecksumMode: "ENABLED" }));
  const equal = Buffer.from(await kept.Body.transformToByteArray()).equals(disk);
  const { ImportTaskId } = await here.send(
    new ec2.ImportSnapshotCommand({
      DiskContainer: { Format: "RAW", UserBucket: { S3Bucket: bucket, S3Key: "disk.raw" } },
    }),
  );
  const tasks = { ImportTaskIds: [ImportTaskId] };
  await ec2.waitUntilSnapshotImported({ client: here, ...waiting }, tasks);
  const { ImportSnapshotTasks } = await here.send(
    new ec2.DescribeImportSnapshotTasksCommand(tasks),
  );
  await storage.send(
    new s3.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: "disk.raw" }] } }),
  );
  await storage.send(new s3.DeleteBucketCommand({ Bucket: bucket }));
  await s3.waitUntilBucketNotExists({ client: storage, ...waiting }, { Bucket: bucket });
  return { equal, snapshot: ImportSnapshotTasks[0].SnapshotTaskDetail.SnapshotId };
}

async function writeSnapshot() {
  const block = disk.subarray(0, 524288);
  const started = await blocks.send(new ebs.StartSnapshotCommand({ VolumeSize: 1 }));
  const SnapshotId = started.SnapshotId;
  await blocks.send(
    new ebs.PutSnapshotBlockCommand({
      SnapshotId,
      BlockIndex: 3,
      BlockData: block,
      DataLength: block.length,
      Checksum: createHash("sha256").update(block).digest("base64"),
      ChecksumAlgorithm: "SHA256",
    }),
  );
  await blocks.send(new ebs.CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 1 }));
  await ec2.waitUntilSnapshotCompleted({ client: here, ...waiting }, { SnapshotIds: [SnapshotId] });
  const listed = await collect(
    ebs.paginateListSnapshotBlocks({ client: blocks, pageSize: 100 }, { SnapshotId }),
    "Blocks",
  );
  const { BlockIndex, BlockToken } = listed[0];
  const read = await blocks.send(
    new ebs.GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }),
  );
  await here.send(new ec2.DeleteSnapshotCommand({ SnapshotId }));
  const equal = Buffer.from(await read.BlockData.transformToByteArray()).equals(block);
  return { equal, blocks: listed.map((each) => each.BlockIndex) };
}

async function register(snapshot) {
  const { ImageId } = await here.send(
    new ec2.RegisterImageCommand({
      Name: "from-javascript",
      Architecture: "x86_64",
      VirtualizationType: "hvm",
      EnaSupport: true,
      RootDeviceName: "/dev/xvda",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId: snapshot } }],
    }),
  );
  await ec2.waitUntilImageAvailable({ client: here, ...waiting }, { ImageIds: [ImageId] });
  await parameters.send(
    new ssm.PutParameterCommand({
      Name: "/clients/javascript",
      Value: ImageId,
      Type: "String",
      DataType: "aws:ec2:image",
    }),
  );
  return ImageId;
}

async function runInstances(image) {
  const tags = [{ Key: "Name", Value: "from-javascript" }];
  const { Instances } = await here.send(
    new ec2.RunInstancesCommand({
      ImageId: image,
      InstanceType: "c5.large",
      MinCount: 1,
      MaxCount: 2,
      TagSpecifications: [{ ResourceType: "instance", Tags: tags }],
    }),
  );
  const ids = { InstanceIds: Instances.map((each) => each.InstanceId) };
  await ec2.waitUntilInstanceRunning({ client: here, ...waiting }, ids);
  await ec2.waitUntilInstanceStatusOk({ client: here, ...waiting }, ids);
  const Filters = [{ Name: "tag:Name", Values: ["from-java*"] }];
  const reservations = await collect(
    ec2.paginateDescribeInstances({ client: here, pageSize: 5 }, { Filters }),
    "Reservations",
  );
  const found = reservations.flatMap((each) => each.Instances);
  const consoles = [];
  for (const InstanceId of ids.InstanceIds)
    consoles.push((await here.send(new ec2.GetConsoleOutputCommand({ InstanceId }))).Output);
  await here.send(new ec2.StopInstancesCommand(ids));
  await ec2.waitUntilInstanceStopped({ client: here, ...waiting }, ids);
  await here.send(
    new ec2.ModifyInstanceAttributeCommand({
      InstanceId: ids.InstanceIds[0],
      InstanceType: { Value: "c5.xlarge" },
    }),
  );
  await here.send(new ec2.StartInstancesCommand(ids));
  await ec2.waitUntilInstanceRunning({ client: here, ...waiting }, ids);
  await here.send(new ec2.TerminateInstancesCommand(ids));
  await ec2.waitUntilInstanceTerminated({ client: here, ...waiting }, ids);
  return { instances: found.map((each) => [each.AmiLaunchIndex, each.PrivateDnsName]), consoles };
}

async function copyThere(image) {
  const { ImageId } = await there.send(
    new ec2.CopyImageCommand({ SourceRegion: region, SourceImageId: image, Name: "copy" }),
  );
  await ec2.waitUntilImageAvailable({ client: there, ...waiting }, { ImageIds: [ImageId] });
  const deregister = { ImageId, DeleteAssociatedSnapshots: true };
  const { Return } = await there.send(new ec2.DeregisterImageCommand(deregister));
  return Return;
}

const { snapshot, ...imported } = await importDisk();
const direct = await writeSnapshot();
const image = await register(snapshot);
const ran = await runInstances(image);
const copied = await copyThere(image);
await parameters.send(new ssm.DeleteParameterCommand({ Name: "/clients/javascript" }));
await here.send(new ec2.DeregisterImageCommand({ ImageId: image }));
await here.send(new ec2.DeleteSnapshotCommand({ SnapshotId: snapshot }));
console.log(JSON.stringify({ imported, direct, ...ran, copied }));
