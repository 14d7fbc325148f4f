import type { ReactElement } from 'react';
import { FlatList, StyleSheet, Text } from 'react-native';

import type { Kept } from '@/api/types';

import { Button } from './Button';
import { SPACE, usePalette } from './theme';

interface Props<Item> {
  items: Item[];
  loading: boolean;
  /** What to say to a person who has nothing yet. */
  emptyText: string;
  onRefresh: () => void;
  onLoadMore?: () => void;
  renderItem: (item: Item) => ReactElement;
}

/** A list that can be pulled to refresh, and that asks before it loads more. */
export function RecordList<Item extends Kept>(props: Props<Item>) {
  const palette = usePalette();
  return (
    <FlatList
      ListEmptyComponent={
        <Text style={[styles.empty, { color: palette.faint }]}>
          {props.loading ? 'Loading…' : props.emptyText}
        </Text>
      }
      ListFooterComponent={
        props.onLoadMore ? <Button label="Show more" onPress={props.onLoadMore} quiet /> : null
      }
      contentContainerStyle={styles.content}
      data={props.items}
      keyExtractor={(item) => String(item.id)}
      keyboardShouldPersistTaps="handled"
      onRefresh={props.onRefresh}
      refreshing={props.loading}
      renderItem={({ item }) => props.renderItem(item)}
    />
  );
}

const styles = StyleSheet.create({
  content: { gap: SPACE.small, paddingBottom: SPACE.large },
  empty: { fontSize: 16, paddingVertical: SPACE.large, textAlign: 'center' },
});
