import { describeStore } from './store-contract.ts';
import { fakeS3Stores, filesystemStores, s3Stores } from './test-stores.ts';

for (const stores of [filesystemStores(), fakeS3Stores(), await s3Stores()]) describeStore(stores);
