import type { PropsWithChildren } from 'react';
import { StyleSheet, View } from 'react-native';
import { SafeAreaView } from 'react-native-safe-area-context';

import { MAX_WIDTH, SPACE, usePalette } from './theme';

/** The ground of every screen: a column that stays readable on a wide window. */
export function Screen({ children }: PropsWithChildren) {
  const palette = usePalette();
  return (
    <SafeAreaView
      edges={['left', 'right', 'bottom']}
      style={[styles.ground, { backgroundColor: palette.background }]}
    >
      <View style={styles.column}>{children}</View>
    </SafeAreaView>
  );
}

const styles = StyleSheet.create({
  ground: { alignItems: 'center', flex: 1 },
  column: { flex: 1, gap: SPACE.medium, maxWidth: MAX_WIDTH, padding: SPACE.medium, width: '100%' },
});
