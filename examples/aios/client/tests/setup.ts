import { configure } from '@testing-library/react-native';

// The first test of a cold cache translates the whole app while it waits; on a busy machine that takes a while.
configure({ asyncUtilTimeout: 20_000 });
